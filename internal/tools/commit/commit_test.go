package commit

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestVersionAndTime(t *testing.T) {
	for _, tc := range []struct {
		name        string
		info        debug.BuildInfo
		epoch       string
		wantVersion string
		wantTime    string
	}{
		{name: "no version control", wantVersion: "devel", wantTime: "1980-01-01T00:00:00Z"},
		{name: "devel", info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, wantVersion: "devel", wantTime: "1980-01-01T00:00:00Z"},
		{
			name: "tag",
			info: debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
				{Key: "vcs.time", Value: "2026-11-22T01:02:03Z"},
			}},
			wantVersion: "1.2.3", wantTime: "2026-11-22T01:02:03Z",
		},
		{name: "SOURCE_DATE_EPOCH", epoch: "86400", wantVersion: "devel", wantTime: "1970-01-02T00:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", tc.epoch)
			if got := Version(&tc.info); got != tc.wantVersion {
				t.Errorf("version = %q, want %q", got, tc.wantVersion)
			}
			at, err := Time(&tc.info)
			if err != nil {
				t.Fatal(err)
			}
			if got := at.Format(time.RFC3339); got != tc.wantTime {
				t.Errorf("time = %s, want %s", got, tc.wantTime)
			}
		})
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := Time(&debug.BuildInfo{}); err == nil {
		t.Error("SOURCE_DATE_EPOCH=yesterday is accepted")
	}
}
