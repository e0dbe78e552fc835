package settings

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWithHome(t *testing.T) {
	home := t.TempDir()
	database := func() string { return home }
	for name, variables := range map[string][]string{"unset": nil, "empty": {"HOME=", "USERPROFILE="}, "relative": {"HOME=.", "USERPROFILE=."}} {
		env := withHome(environment(variables...), database)
		if got := env.Home(); got != home {
			t.Errorf("%s: %q, want %q", name, got, home)
		}
		if s, err := Load(env); err != nil || !strings.HasPrefix(s.CacheDir, home) || !strings.HasPrefix(s.StateDir, home) || !strings.HasPrefix(s.File, home) {
			t.Errorf("%s: cache %q, state %q, file %q, %v", name, s.CacheDir, s.StateDir, s.File, err)
		}
	}
	other := t.TempDir()
	env := withHome(environment("HOME="+other, "USERPROFILE="+other), database)
	if got := env.Home(); got != other {
		t.Errorf("%q, want the environment's %q", got, other)
	}
}

// Nothing is read from or written to the working directory for want of a home.
func TestLoadWithoutHome(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, filepath.Join(".config", "ecrkit", "config.yaml"), "unknown: key\n")
	env := withHome(environment(), func() string { return "" })
	s, err := Load(env)
	if err != nil || s.File != "" || s.CacheDir != "" || s.StateDir != "" || !strings.Contains(s.NoCache, "no home directory") {
		t.Errorf("%+v, %v", s, err)
	}
	for _, variable := range []string{"ECRKIT_CACHE_DIR=~/x", "AWS_ECR_CACHE_DIR=~/x"} {
		if s, err := Load(withHome(environment(variable), func() string { return "" })); err != nil || s.CacheDir != "" || s.NoCache == "" {
			t.Errorf("%s: %q, %v", variable, s.CacheDir, err)
		}
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	writeFile(t, config, "cache: {dir: ~/x}\npolicy: ~/policy.yaml\n")
	if s, err := Load(withHome(environment("ECRKIT_CONFIG="+config), func() string { return "" })); err == nil || !strings.Contains(err.Error(), "~/") {
		t.Errorf("cache %q, policy %q, %v", s.CacheDir, s.Policy, err)
	}
}
