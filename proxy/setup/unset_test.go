package setup

import (
	"net/url"
	"testing"
)

// TestUnsetSetup has a Setup that lacks something: an error, no panic.
func TestUnsetSetup(t *testing.T) {
	t.Parallel()
	address, err := url.Parse("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Setup{
		"zero": {}, "no proxy": {Engine: Docker, Root: t.TempDir()}, "no engine": {Proxy: address, Root: t.TempDir()},
	} {
		_, set := s.Set("example.com")
		_, removed := s.Remove("example.com")
		_, _, checked := s.Check("example.com")
		_, listed := s.Hosts()
		for method, err := range map[string]error{
			"Set": set, "Remove": removed, "Check": checked, "Hosts": listed,
			"Running": s.Running(t.Context(), nil), "Serves": s.Serves(t.Context(), nil, "example.com"),
		} {
			if err == nil {
				t.Errorf("%s: %s: no error", name, method)
			}
		}
	}
}
