package cli

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// stoppedClock is a clock that only its user moves.
type stoppedClock struct{ now time.Time }

func (c *stoppedClock) Now() time.Time { return c.now }

func (c *stoppedClock) Sleep(context.Context, time.Duration) error { return nil }

// mirrorCommand returns a command with --rate-limit, and these arguments.
func mirrorCommand(t *testing.T, clock retry.Clock, args ...string) *cobra.Command {
	t.Helper()
	cmd := &cobra.Command{}
	addRateLimitFlag(cmd)
	cmd.SetContext(retry.WithClock(t.Context(), clock))
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestPatientSaysOnce says once for how long a mirror waits for a host, however many requests wait.
func TestPatientSaysOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	app := &App{Stderr: &out}
	clock := &stoppedClock{time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	ctx := app.patient(mirrorCommand(t, clock))
	waits := retry.PatienceOf(ctx).Waits
	now := clock.Now()
	waits("hub.example", now.Add(time.Second)) // not worth a message
	for i := range 5 {
		waits("hub.example", now.Add(216*time.Second+time.Duration(i)*time.Second))
	}
	waits("other.example", now.Add(time.Minute))
	clock.now = now.Add(216 * time.Second)
	waits("hub.example", now.Add(432*time.Second))
	want := "hub.example limits requests; waiting 3m36s for it\nother.example limits requests; waiting 1m0s for it\nhub.example limits requests; waiting 3m36s for it\n"
	if out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
	if got := retry.PatienceOf(ctx).Throttled; got != 24*time.Hour {
		t.Errorf("it waits up to %s", got)
	}
}

// TestRateLimit reads --rate-limit. It does not say that it waits if it does not.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"fail": 0, "0": 0, "30m": 30 * time.Minute, "48h": 48 * time.Hour} {
		var out bytes.Buffer
		app := &App{Stderr: &out}
		clock := &stoppedClock{time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
		patience := retry.PatienceOf(app.patient(mirrorCommand(t, clock, "--rate-limit", value)))
		if patience.Throttled != want || !patience.Strict {
			t.Errorf("%s: %+v", value, patience)
		}
		patience.Waits("hub.example", clock.now.Add(72*time.Hour))
		if out.Len() > 0 {
			t.Errorf("%s: %s", value, &out)
		}
	}
	for _, value := range []string{"", "no", "-1s", "30", "wait"} {
		if err := (&rateLimitFlag{}).Set(value); err == nil {
			t.Errorf("%q was taken", value)
		}
	}
}
