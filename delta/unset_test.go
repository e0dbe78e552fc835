package delta_test

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta"
)

// TestUnsetLayer has layers that a caller has forgotten something of: an error, no panic.
func TestUnsetLayer(t *testing.T) {
	t.Parallel()
	w := delta.NewWorkspace(t.TempDir())
	for name, l := range map[string]delta.Layer{"zero": {}, "without Open": {Digest: digest.FromString("x"), Size: 1}} {
		if _, err := w.Plaintext(t.Context(), l); err == nil {
			t.Errorf("%s: a plaintext", name)
		}
		if _, err := w.Make(t.Context(), l, nil); err == nil {
			t.Errorf("%s: a delta", name)
		}
	}
}
