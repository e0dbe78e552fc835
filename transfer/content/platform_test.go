package content

import (
	"testing"
)

func TestParsePlatform(t *testing.T) {
	for s, want := range map[string]string{
		"linux/amd64":                     "linux/amd64",
		"Linux/x86_64":                    "linux/amd64",
		"linux/amd64/v1":                  "linux/amd64",
		"linux/amd64/3":                   "linux/amd64/v3",
		"linux/aarch64":                   "linux/arm64",
		"linux/arm64/v8":                  "linux/arm64",
		"linux/arm64/8":                   "linux/arm64",
		"linux/arm64/v9":                  "linux/arm64/v9",
		"linux/arm":                       "linux/arm/v7",
		"linux/arm/7":                     "linux/arm/v7",
		"linux/arm/V6":                    "linux/arm/v6",
		"linux/armhf":                     "linux/arm/v7",
		"linux/armel":                     "linux/arm/v6",
		"linux/arm/*":                     "linux/arm/*",
		"linux/i686":                      "linux/386",
		"macos/arm64":                     "darwin/arm64",
		"linux/ppc64le":                   "linux/ppc64le",
		"arm64":                           "linux/arm64",
		"x86_64":                          "linux/amd64",
		"amd64/v2":                        "linux/amd64/v2",
		"arm/v6":                          "linux/arm/v6",
		"armhf":                           "linux/arm/v7",
		"arm/*":                           "linux/arm/*",
		"windows(10.0.17763)/amd64":       "windows/amd64:10.0.17763",
		"windows(10.0.17763)/amd64:1":     "",
		"windows":                         "",
		"windows/amd64:10.0.17763.1457":   "windows/amd64:10.0.17763.1457",
		"windows/arm64/v8:10.0.17763":     "windows/arm64:10.0.17763",
		"":                                "",
		"linux":                           "",
		"linux/":                          "",
		"/amd64":                          "",
		"linux/amd64/":                    "",
		"linux/amd64/v1/x":                "",
		"*/amd64":                         "",
		"linux/*":                         "",
		"linux/amd64:":                    "",
		"linux/amd64:1:2":                 "",
		"linux/amd64,linux/arm64":         "",
		"linux/amd64 ":                    "",
		"linux/\x00":                      "",
		"linux/amd64:10.0\n":              "",
		"linux/arm/v7*":                   "",
		"unknown/unknown":                 "unknown/unknown",
		"freebsd/riscv64/rva22:14.2-beta": "freebsd/riscv64/rva22:14.2-beta",
	} {
		p, err := ParsePlatform(s)
		if want == "" {
			if err == nil {
				t.Errorf("%q: got %s", s, p)
			}
			continue
		}
		if err != nil || p.String() != want {
			t.Errorf("%q: %s, %v, want %s", s, p, err, want)
		}
	}
}

// Like platforms.Only of containerd, but never another architecture (arm for arm64).
func TestPlatformCompatible(t *testing.T) {
	for _, tt := range []struct {
		want, have string
		n          int
	}{
		{"linux/arm", "linux/arm/v6", 6},
		{"linux/arm/v7", "linux/arm/v5", 5},
		{"linux/arm/v6", "linux/arm/v7", 0},
		{"linux/amd64/v2", "linux/amd64", 1},
		{"linux/amd64/v3", "linux/amd64/v2", 2},
		{"linux/amd64", "linux/amd64/v2", 0},
		{"linux/arm64/v9", "linux/arm64", 8},
		{"linux/arm64", "linux/arm/v7", 0},
		{"linux/arm64", "linux/arm64/v9", 0},
		{"linux/arm", "windows/arm/v6", 0},
		{"linux/arm/*", "linux/arm/v6", 0},
		{"linux/s390x", "linux/s390x", 0},
		{"linux/amd64/v2", "linux/386", 0},
	} {
		want, err1 := ParsePlatform(tt.want)
		have, err2 := ParsePlatform(tt.have)
		if err1 != nil || err2 != nil || want.Compatible(have) != tt.n {
			t.Errorf("%s of %s: %d (%v, %v), want %d", tt.want, tt.have, want.Compatible(have), err1, err2, tt.n)
		}
	}
}

func TestPlatformMatches(t *testing.T) {
	for _, tt := range []struct {
		want, have string
		matches    bool
	}{
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/amd64/v3", false},
		{"linux/amd64/*", "linux/amd64/v3", true},
		{"linux/amd64/*", "linux/amd64", true},
		{"linux/arm", "linux/arm/v7", true},
		{"linux/arm", "linux/arm/v6", false},
		{"linux/arm/*", "linux/arm/v6", true},
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm64/v8", "linux/arm64", true},
		{"linux/arm64", "linux/arm", false},
		{"linux/amd64", "windows/amd64", false},
		{"windows/amd64", "windows/amd64:10.0.17763.1457", true},
		{"windows/amd64:10.0.17763", "windows/amd64:10.0.17763.1457", true},
		{"windows/amd64:10.0.1776", "windows/amd64:10.0.17763.1457", false},
		{"windows/amd64:10.0.17763.1457", "windows/amd64", false},
	} {
		want, err := ParsePlatform(tt.want)
		check(t, err)
		have, err := ParsePlatform(tt.have)
		check(t, err)
		if want.Matches(have) != tt.matches {
			t.Errorf("%s matches %s: %v", tt.want, tt.have, !tt.matches)
		}
	}
}

func FuzzParsePlatform(f *testing.F) {
	f.Add("linux/arm/v7")
	f.Add("windows/amd64:10.0.17763")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlatform(s)
		if err != nil {
			return
		}
		again, err := ParsePlatform(p.String())
		if err != nil || again != p || !p.Matches(again) {
			t.Errorf("%q: %s, then %s, %v", s, p, again, err)
		}
	})
}
