package ecr

import (
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestPutImageRate puts manifests to a registry that throttles none. The first three seconds' worth go at the quota of AWS,
// of which half a second's worth may go at once; then they go faster and faster.
func TestPutImageRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	base, err := layout.New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image"})
	clock := &fastclock.Clock{}
	limits := NewLimits()
	limits.Clock = clock
	e := w.repository("app")
	e.Limits = limits
	// What the machine needs counts too, but is not waited for.
	put := func(from, to int) (took, waited time.Duration) {
		began, before := clock.Now(), clock.Jumped()
		for i := from; i < to; i++ {
			fixture.Check(t, e.PutTagged(t.Context(), fixture.Variant(t, base, i), ""))
		}
		return clock.Now().Sub(began), clock.Jumped() - before
	}
	if took, waited := put(0, 31); took < 2400*time.Millisecond || waited > 2800*time.Millisecond {
		t.Errorf("31 manifests went in %s, of which %s were waited for, want 10 a second", took, waited)
	}
	// At 10 a second they took ten seconds, at twice as many four times a second, up to 100 a second, they take 1.5.
	if took, waited := put(31, 131); took < time.Second || waited > 2*time.Second {
		t.Errorf("100 more went in %s, of which %s were waited for, want a rate that doubles four times a second", took, waited)
	}
}

// TestSharedLimits has eight processes: each gets an eighth of the quota.
func TestSharedLimits(t *testing.T) {
	shared, alone := NewSharedLimits(8), NewLimits()
	for operation, rate := range alone.Rates {
		if shared.Rates[operation] != rate/8 {
			t.Errorf("%s: %v a second, want an eighth of %v", operation, shared.Rates[operation], rate)
		}
	}
	if zero := NewSharedLimits(0); zero.Rates["PutImage"] != alone.Rates["PutImage"] {
		t.Error("no process is not one")
	}
}
