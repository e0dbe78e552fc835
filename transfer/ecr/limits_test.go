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

// TestPutImageRate puts 101 manifests, to a registry that throttles none: they go at the quota of AWS, of which half a
// second's worth may go at once.
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
	began := clock.Now()
	for i := range 101 {
		fixture.Check(t, e.PutTagged(t.Context(), fixture.Variant(t, base, i), ""))
	}
	// It may only search for a higher rate by a fraction. What the machine needs counts too, but is not waited for.
	if took, waited := clock.Now().Sub(began), clock.Jumped(); took < 9*time.Second || waited > 11*time.Second {
		t.Errorf("101 manifests went in %s, of which %s were waited for, want 10 a second", took, waited)
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
