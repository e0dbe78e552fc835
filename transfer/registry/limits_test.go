package registry

import (
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestNoStartingRate puts 100 manifests to a registry that is not Amazon ECR: none waits for a quota.
func TestNoStartingRate(t *testing.T) {
	t.Parallel()
	n := newNeutralRegistry(t)
	src, _, _ := fixture.Layout(t, 1)
	base, err := layout.New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	r := n.repository("app")
	clock := &fastclock.Clock{}
	r.limits.Clock = clock
	for i := range 100 {
		fixture.Check(t, r.PutManifest(t.Context(), fixture.Variant(t, base, i)))
	}
	if waited := clock.Jumped(); waited > time.Second/10 {
		t.Errorf("100 manifests waited for %s", waited)
	}
}
