package nearest_test

import (
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/nearest"
)

func TestNames(t *testing.T) {
	names := []string{"app", "team/app", "team/api", "web", "frontend"}
	for missing, want := range map[string]string{
		"ap": "app", "apps": "app", "team/ap": "team/app team/api", "pap": "app", "front-end": "frontend", "wbe": "web",
		"frontends/web": "web", "zzz": "", "x": "", "api": "app team/api",
	} {
		if got := strings.Join(nearest.Names(missing, names), " "); got != want {
			t.Errorf("%s: %q, want %q", missing, got, want)
		}
	}
}
