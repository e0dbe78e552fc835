package registry

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// hub limits pulls as Docker Hub does: a number in six hours, of which GETs of manifests count.
type hub struct {
	clock     retry.Clock
	limit     int
	remaining bool // it says how many are left
	until     bool // it says with a refusal when the next pull is allowed
	next      http.Handler

	mu             sync.Mutex
	began          time.Time // of the six hours
	pulls, refused int
}

const hubWindow = 6 * time.Hour

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
		h.mu.Lock()
		if now := h.clock.Now(); now.Sub(h.began) >= hubWindow {
			h.began, h.pulls = now, 0
		}
		over := h.pulls >= h.limit
		if over {
			h.refused++
		} else {
			h.pulls++
		}
		left, whole := h.limit-h.pulls, h.began.Add(hubWindow)
		h.mu.Unlock()
		if over && h.until {
			w.Header().Set("Retry-After", fmt.Sprintf("%.0f", whole.Sub(h.clock.Now()).Seconds()+1))
		}
		w.Header().Set("ratelimit-limit", fmt.Sprintf("%d;w=%.0f", h.limit, hubWindow.Seconds()))
		if h.remaining {
			w.Header().Set("ratelimit-remaining", fmt.Sprintf("%d;w=%.0f", left, hubWindow.Seconds()))
		}
		if over {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit."}]}`)
			return
		}
	}
	h.next.ServeHTTP(w, r)
}

// start starts it, with a limit of pulls.
func (h *hub) start(t *testing.T, clock retry.Clock, limit int) *httptest.Server {
	t.Helper()
	h.clock, h.limit = clock, limit
	h.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = w.Write([]byte(emptyManifest))
		}
	})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// TestHubLimit pulls 250 times from a registry that allows 100 pulls in six hours: with patience none fails.
func TestHubLimit(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*hub{"limit": {}, "remaining": {remaining: true}, "Retry-After": {until: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &fastclock.Clock{}
			server := h.start(t, clock, 100)
			limits := NewLimits()
			limits.calls.Clock = clock
			var mu sync.Mutex
			waits := 0
			ctx := retry.WithClock(t.Context(), clock)
			patient := retry.WithPatience(ctx, retry.Patience{Throttled: 24 * time.Hour, Waits: func(host string, until time.Time) {
				mu.Lock()
				defer mu.Unlock()
				waits++
				if host != strings.TrimPrefix(server.URL, "http://") || !until.After(clock.Now().Add(-time.Hour)) {
					t.Errorf("waits for %s until %s", host, until)
				}
			}})
			var group errgroup.Group
			for i := range 5 {
				group.Go(func() error {
					r := openTestRegistry(t, strings.TrimPrefix(server.URL, "http://"), fmt.Sprintf("app%d", i), Options{Limits: limits})
					for range 50 {
						if m, err := r.Resolve(patient, "1"); err != nil || !bytes.Equal(m.Content, []byte(emptyManifest)) {
							return fmt.Errorf("app%d: %q: %w", i, m.Content, err)
						}
					}
					return nil
				})
			}
			fixture.Check(t, group.Wait())
			if clock.Jumped() < hubWindow || waits == 0 {
				t.Errorf("it waited for %s, in %d times", clock.Jumped(), waits)
			}
			// Each of the five asks again after 216 s at the earliest.
			if most := 5 * int(2*hubWindow/(216*time.Second)); h.refused > most {
				t.Errorf("%d requests were refused, more than %d", h.refused, most)
			}
			// Without patience, a command fails soon and says why.
			h.mu.Lock()
			h.pulls, h.began = h.limit, clock.Now()
			h.mu.Unlock()
			before := clock.Jumped()
			r := openTestRegistry(t, strings.TrimPrefix(server.URL, "http://"), "app", Options{})
			r.limits.Clock = clock
			if _, err := r.Resolve(ctx, "1"); err == nil || !strings.Contains(err.Error(), "pull rate limit") {
				t.Errorf("without patience: %v", err)
			}
			if waited := clock.Jumped() - before; waited > 30*time.Minute {
				t.Errorf("without patience it waited for %s", waited)
			}
		})
	}
}

// TestHubLimitStrict has a bound for how long to wait: what would have to wait longer fails at once, also while others are under way.
func TestHubLimitStrict(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*hub{"limit": {}, "remaining": {remaining: true}, "Retry-After": {until: true}} {
		for _, bound := range []time.Duration{0, time.Minute, 10 * time.Hour} {
			t.Run(fmt.Sprint(name, " ", bound), func(t *testing.T) {
				t.Parallel()
				clock := &fastclock.Clock{}
				h := &hub{remaining: h.remaining, until: h.until}
				server := h.start(t, clock, 3)
				limits := NewLimits()
				limits.calls.Clock = clock
				r := openTestRegistry(t, strings.TrimPrefix(server.URL, "http://"), "app", Options{Limits: limits})
				ctx := retry.WithPatience(retry.WithClock(t.Context(), clock), retry.Patience{Throttled: bound, Strict: true})
				var group sync.WaitGroup
				var pulled, limited atomic.Int64
				for range 5 {
					group.Go(func() {
						_, err := r.Resolve(ctx, "1")
						if limit := (*retry.LimitError)(nil); errors.As(err, &limit) && limit.Until.After(clock.Now()) {
							limited.Add(1)
						} else if err == nil {
							pulled.Add(1)
						} else {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if bound > hubWindow {
					if pulled.Load() != 5 {
						t.Errorf("%d were pulled", pulled.Load())
					}
				} else if waited := clock.Jumped(); pulled.Load() != 3 || limited.Load() != 2 || waited > bound {
					t.Errorf("%d were pulled, %d failed, after %s", pulled.Load(), limited.Load(), waited)
				}
			})
		}
	}
}

const emptyManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`
