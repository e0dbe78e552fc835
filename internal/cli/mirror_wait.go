package cli

import (
	"context"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// mirrorPatience is for how long a mirror waits for a registry that says when it takes the next request. Docker Hub allows
// a number of pulls in six hours.
const mirrorPatience = 24 * time.Hour

// patient returns the context of a command that waits for a registry whose limit is used up, where others fail, and says so.
func (app *App) patient(ctx context.Context) context.Context {
	var mu sync.Mutex
	said := map[string]time.Time{} // until when, by host
	return retry.WithPatience(ctx, retry.Patience{Throttled: mirrorPatience, Waits: func(host string, until time.Time) {
		wait := until.Sub(retry.ClockOf(ctx).Now()).Round(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if wait <= 2*time.Second || until.Sub(said[host]) < wait/2 {
			return // another request has said it
		}
		said[host] = until
		app.Messagef("%s limits requests; waiting %s for it", host, wait)
	}})
}
