package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// mirrorPatience is for how long a mirror waits by default for a registry that says when it takes the next request. Docker Hub
// allows a number of pulls in six hours.
const mirrorPatience = 24 * time.Hour

// rateLimitFlag is for how long a mirror waits for a registry whose limit is used up.
type rateLimitFlag struct{ retry.Patience }

// noWait is the value of the flag with which a mirror does not wait.
const noWait = "fail"

// addRateLimitFlag adds --rate-limit, which [App.patient] reads.
func addRateLimitFlag(cmd *cobra.Command) {
	f := &rateLimitFlag{retry.Patience{Throttled: mirrorPatience}}
	cmd.Flags().Var(f, rateLimit, "wait at most `fail|TIME` for a registry that limits pulls, such as 30m; fail: do not wait (default 24h)")
	cmd.Flags().Lookup(rateLimit).DefValue = "" // is in the text
}

const rateLimit = "rate-limit"

func (f *rateLimitFlag) Type() string { return "time" }

func (f *rateLimitFlag) String() string {
	if f.Strict && f.Throttled == 0 {
		return noWait
	}
	return f.Throttled.String()
}

func (f *rateLimitFlag) Set(s string) error {
	wait := time.Duration(0)
	if s != noWait {
		if err := (&timeFlag{&wait}).Set(s); err != nil {
			return fmt.Errorf("must be %s, or how long to wait at most, such as 30m or 12h", noWait)
		}
	}
	f.Patience = retry.Patience{Throttled: wait, Strict: true}
	return nil
}

// patient returns the context of a command that waits for a registry whose limit is used up, where others fail, and says so.
func (app *App) patient(cmd *cobra.Command) context.Context {
	ctx := cmd.Context()
	patience := retry.Patience{Throttled: mirrorPatience}
	if flag := cmd.Flags().Lookup(rateLimit); flag != nil {
		patience = flag.Value.(*rateLimitFlag).Patience
	}
	var mu sync.Mutex
	said := map[string]time.Time{} // until when, by host
	patience.Waits = func(host string, until time.Time) {
		wait := until.Sub(retry.ClockOf(ctx).Now()).Round(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if wait <= 2*time.Second || until.Sub(said[host]) < wait/2 || !patience.Allows(wait, mirrorPatience) {
			return // another request has said it, or nobody waits
		}
		said[host] = until
		app.Messagef("%s limits requests; waiting %s for it", host, wait)
	}
	return retry.WithPatience(ctx, patience)
}
