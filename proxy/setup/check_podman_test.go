package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckPodmanUser has a user with files of their own, of which podman reads what podman 4.3.1 and
// containers-registries.conf.d(5) say.
func TestCheckPodmanUser(t *testing.T) {
	t.Parallel()
	other := "[[registry]]\nprefix = \"" + registry + "\"\nlocation = \"mirror.example\"\n"
	none := "unqualified-search-registries = []\n"
	for name, c := range map[string]struct {
		path, text string // of the user
		copied     bool   // our file is among those of the user too
		chosen     string // what CONTAINERS_REGISTRIES_CONF names; chosen.conf is an empty file
		want       RegistryAccess
		detail     string
	}{
		"no file":                 {"", "", false, "", ThroughProxy, ""},
		"own registries.conf":     {"registries.conf", none, false, "", NotConfigured, "registries.conf for this user, and none of the files in"},
		"own file among others":   {"registries.conf.d/a.conf", other, false, "", Bypassed, "a.conf names it too and is read later"},
		"harmless among others":   {"registries.conf.d/a.conf", none, false, "", ThroughProxy, ""},
		"own, with ours":          {"registries.conf", none, true, "", ThroughProxy, ""},
		"own, not read":           {"registries.conf", other, false, "chosen.conf", ThroughProxy, ""},
		"chosen, missing":         {"", "", false, "missing.conf", NotConfigured, "missing.conf does not exist"},
		"own of another registry": {"registries.conf", strings.ReplaceAll(other, registry, "other.example"), false, "", NotConfigured, "none of the files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, Podman, address, false)
			s.UserDir = t.TempDir()
			if _, err := s.Set(registry); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(s.UserDir, "registries.conf.d"), 0o755); err != nil {
				t.Fatal(err)
			}
			write := func(path string, text []byte) {
				if err := os.WriteFile(filepath.Join(s.UserDir, path), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.path != "" {
				write(c.path, []byte(c.text))
			}
			if c.copied {
				ours, err := os.ReadFile(s.path(podmanPath))
				if err != nil {
					t.Fatal(err)
				}
				write("registries.conf.d/"+podmanName, ours)
			}
			if c.chosen != "" {
				write("chosen.conf", nil)
				s.RegistriesConf = filepath.Join(s.UserDir, c.chosen)
			}
			state, detail, err := s.Check(registry)
			if err != nil || state != c.want || !strings.Contains(detail, c.detail) {
				t.Errorf("%q: %s, %v; want %q with %q", state, detail, err, c.want, c.detail)
			}
		})
	}
}
