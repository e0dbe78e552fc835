package startup

import (
	"path/filepath"
	"strings"
	"testing"
)

// Without a home directory no file is looked for in the working directory, where
// anybody may have put it.
func TestNoRelativePath(t *testing.T) {
	for name, variables := range map[string][]string{
		"no variable":   nil,
		"empty":         {"HOME=", "USERPROFILE=", "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "XDG_STATE_HOME=", "APPDATA=", "LOCALAPPDATA="},
		"relative home": {"HOME=home", "USERPROFILE=home"},
		"this home":     {"HOME=.", "USERPROFILE=."},
		"relative XDG":  {"XDG_CONFIG_HOME=x", "XDG_CACHE_HOME=./x", "XDG_STATE_HOME=../x", "XDG_DATA_HOME=x", "APPDATA=x", "LOCALAPPDATA=x"},
		"in a home":     {"ECRKIT_CACHE_DIR=~/cache", "ECRKIT_STATE_DIR=~/state", "ECRKIT_CONFIG=~/config"},
	} {
		env := EnvironmentOf(variables)
		for what, path := range map[string]string{
			"home": env.Home(), "configuration": env.ConfigFile(), "default cache": env.DefaultCache(), "chosen cache": env.ChosenCache(),
			"state": env.StateDir(), "data": env.DataDir(), "cache": CacheDir(env), "expanded": env.Expand("~/x"),
		} {
			if path != "" {
				t.Errorf("%s: the %s is %q", name, what, path)
			}
		}
	}
}

func TestPaths(t *testing.T) {
	home, xdg := t.TempDir(), t.TempDir()
	env := EnvironmentOf([]string{"HOME=" + home, "USERPROFILE=" + home, "XDG_CONFIG_HOME=" + xdg, "XDG_CACHE_HOME=relative"})
	if got, want := env.ConfigFile(), filepath.Join(xdg, "ecrkit", "config.yaml"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := env.DefaultCache(); !strings.HasPrefix(got, home) {
		t.Errorf("the cache is %q, though XDG_CACHE_HOME is not absolute", got)
	}
	for what, path := range map[string]string{"state": env.StateDir(), "data": env.DataDir()} {
		if !strings.HasPrefix(path, home) || !strings.Contains(path, "ecrkit") {
			t.Errorf("the %s is %q", what, path)
		}
	}
	if got, want := env.Expand("~/a/b"), filepath.Join(home, "a", "b"); filepath.Clean(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	for path, want := range map[string]string{"~": "~", "~user/x": "~user/x", "relative": "relative", "/absolute": "/absolute", "": ""} {
		if got := env.Expand(path); got != want {
			t.Errorf("Expand(%q) = %q", path, got)
		}
	}
}

func TestIsAbsolute(t *testing.T) {
	for _, path := range []string{"", "/", "/x", "x", "./x", ".", `C:\x`, `C:/x`, `C:x`, `\\server\share\x`, `\x`, `\\`, "C:"} {
		if got, want := isAbsolute(path), filepath.IsAbs(path); got != want {
			t.Errorf("isAbsolute(%q) = %t", path, got)
		}
	}
}
