package mirror_test

import (
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/mirror"
)

// TestWithoutOpener has no Opener: an error, no panic.
func TestWithoutOpener(t *testing.T) {
	t.Parallel()
	// Without a lookup there is no variable.
	c, err := mirror.ReadConfig(strings.NewReader("destinations: [registry.example.com]\nimages: [{from: \"${NAME:-example.com}/app\"}]\n"), nil)
	if err != nil || c.Images[0].From != "example.com/app" {
		t.Fatalf("%+v, %v", c, err)
	}
	_, planned := mirror.NewPlan(t.Context(), c, nil, mirror.Options{})
	_, selected := mirror.Select(t.Context(), c, nil, mirror.Options{})
	_, checked := mirror.Plan{Config: c}.Check(t.Context(), nil, mirror.Options{})
	_, applied := mirror.Apply(t.Context(), mirror.Plan{Config: c}, nil, mirror.Options{})
	for name, err := range map[string]error{"NewPlan": planned, "Select": selected, "Check": checked, "Apply": applied} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
