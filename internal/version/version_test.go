package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuildInfo(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123abc"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, tt := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v1.2.3", []debug.BuildSetting{revision}, "v1.2.3"},
		{"(devel)", []debug.BuildSetting{revision}, "0123abc"},
		{"(devel)", []debug.BuildSetting{modified, revision}, "0123abc+dirty"},
		{"(devel)", nil, "devel"},
		{"", nil, "devel"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: tt.version}, Settings: tt.settings}
		if got := fromBuildInfo(info); got != tt.want {
			t.Errorf("%q %v: got %q, want %q", tt.version, tt.settings, got, tt.want)
		}
	}
	if String() == "" {
		t.Error("empty version")
	}
}
