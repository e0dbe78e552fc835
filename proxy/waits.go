package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

const (
	// refusedFor is how long a registry may refuse a request whose client has got no byte. Engines wait for an answer without
	// an end and without a word; with this one they say why, and most try again.
	refusedFor = time.Minute
	// answerTime is how long an answer to a request may take whose client waits. A registry that never answers is thus refusing
	// after a minute, and its client gets that answer after another one.
	answerTime = time.Minute
	// refusedLogged is how long it may do so before the log says it: a single refusal is nothing unusual.
	refusedLogged = 5 * time.Second
	// saidAgain is how long the log says nothing more about a registry.
	saidAgain = time.Minute
	// retryLater is when a client is asked to try again, if the registry names no time; maxRetryLater bounds what it names.
	retryLater    = 30 * time.Second
	maxRetryLater = time.Hour
	// maxWaiting bounds the registries that [Status] names.
	maxWaiting = 32
)

// waits are what is done for clients, by whether a registry refuses it at present.
type waits struct {
	mu   sync.Mutex
	all  map[*wait]struct{}   // those that are refused
	said map[string]time.Time // when the log said it last, by host
}

// wait is one thing done for clients: the requests of its context are watched.
type wait struct {
	h          *Handler
	host, kind string
	giveUp     context.CancelCauseFunc // nil waits as long as the requests are sent again

	mu      sync.Mutex
	refused map[any]*refusal // requests that wait
	begun   bool             // a client has got a byte, which no refusal can follow
	last    *refusal         // of the request that was given up last
}

// refusal is what a request waits for.
type refusal struct {
	since   time.Time // when it was sent first, or else first refused
	until   time.Time // when it is sent again
	verdict retry.Verdict
	timers  []*time.Timer
}

// watched returns a context for something that is done for clients. If bounded is set, it ends when the registry has
// refused one of its requests for too long, with a cause for the client. done ends the watch.
func (h *Handler) watched(ctx context.Context, host, kind string, bounded bool) (_ context.Context, w *wait, done func()) {
	w = &wait{h: h, host: host, kind: kind, refused: map[any]*refusal{}}
	cancel := func() {}
	if bounded {
		ctx, w.giveUp = context.WithCancelCause(retry.WithAnswer(ctx, answerTime))
		cancel = func() { w.giveUp(context.Canceled) }
	}
	return retry.WithWatch(ctx, w), w, func() {
		w.forgetAll()
		cancel()
	}
}

// Waits implements [retry.Watch].
func (w *wait) Waits(key any, v retry.Verdict, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.refused[key]
	if r == nil {
		r = &refusal{since: time.Now()}
		if began := retry.Since(key); !began.IsZero() && began.Before(r.since) {
			r.since = began
		}
		w.refused[key] = r
		r.timers = append(r.timers, time.AfterFunc(refusedLogged, func() { w.say(key, r) }))
		if w.giveUp != nil {
			r.timers = append(r.timers, time.AfterFunc(refusedFor, func() { w.tooLong(key, r) }))
		}
		w.h.waits.add(w)
	}
	r.verdict, r.until = v, until
}

// Ended implements [retry.Watch].
func (w *wait) Ended(key any, v retry.Verdict, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v != retry.Final {
		w.last = &refusal{verdict: v, until: until}
	}
	if w.refused[key] != nil {
		w.forget(key)
	}
}

// forget says that a request waits no more. The caller holds the lock.
func (w *wait) forget(key any) {
	for _, t := range w.refused[key].timers {
		t.Stop()
	}
	if delete(w.refused, key); len(w.refused) == 0 {
		w.h.waits.remove(w)
	}
}

func (w *wait) forgetAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range maps.Clone(w.refused) {
		w.forget(key)
	}
}

// oldest returns a copy of what has waited longest, if anything waits.
func (w *wait) oldest() (first refusal, waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.refused {
		if !waits || r.since.Before(first.since) {
			first, waits = *r, true
		}
	}
	return first, waits
}

// begin notes that a client gets bytes, so that there can be no other answer.
func (w *wait) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
}

// tooLong ends the wait, if r is still what a request waits for.
func (w *wait) tooLong(key any, r *refusal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused[key] == r && !w.begun {
		w.giveUp(w.failure(r, fmt.Sprintf(" for %.0f seconds", time.Since(r.since).Seconds())))
	}
}

// say writes a line to the log, if r is still what a request waits for.
func (w *wait) say(key any, r *refusal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused[key] == r && w.h.waits.toSay(w.host) {
		w.h.options.Logger.Warn("waiting", "host", w.host, "kind", w.kind, "reason", reasonOf(r.verdict), "since", r.since.UTC().Format(time.RFC3339))
	}
}

// reasonOf says what a registry does.
func reasonOf(v retry.Verdict) string {
	if v == retry.Throttled {
		return "it limits requests"
	}
	return "it does not answer, or only with errors of its own"
}

// failure is the answer to a client that has waited for r.
func (w *wait) failure(r *refusal, long string) *failure {
	f := &failure{status: http.StatusServiceUnavailable, code: "UNAVAILABLE", retryAfter: retryLater,
		message: "the registry " + w.host + " does not answer, or only with errors of its own" + long + "; try again later"}
	if r.verdict == retry.Throttled {
		f.code, f.message = "TOOMANYREQUESTS", "the registry "+w.host+" limits requests, and has refused this one"+long+"; try again later"
	}
	if left := time.Until(r.until); left > f.retryAfter {
		f.retryAfter = min(left, maxRetryLater)
	}
	return f
}

// explain returns the answer to a client if err is of a registry that has refused for too long or wants no requests now,
// otherwise err itself.
func (w *wait) explain(ctx context.Context, err error) error {
	if err == nil || failureOf(w.kind, err).status != http.StatusBadGateway {
		return err
	}
	if f := (*failure)(nil); errors.As(context.Cause(ctx), &f) {
		return f
	}
	if w.h.life.Err() != nil {
		return ending()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil && w.last.verdict == retry.Throttled {
		return w.failure(w.last, "")
	}
	return err
}

// add notes that w is refused.
func (s *waits) add(w *wait) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*wait]struct{}{}
	}
	s.all[w] = struct{}{}
}

func (s *waits) remove(w *wait) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, w)
}

// toSay reports whether the log is to say that a registry refuses.
func (s *waits) toSay(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(s.said, func(_ string, at time.Time) bool { return now.Sub(at) >= saidAgain })
	if _, before := s.said[host]; before {
		return false
	}
	if s.said == nil {
		s.said = map[string]time.Time{}
	}
	s.said[host] = now
	return true
}

// count returns how many there are.
func (s *waits) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// status returns them by registry, those that wait longest first.
func (s *waits) status() []Waiting {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.all))
	s.mu.Unlock()
	byHost := map[string]Waiting{}
	for _, w := range all {
		oldest, waits := w.oldest()
		if !waits {
			continue
		}
		at := byHost[w.host]
		if at.Requests++; at.Since.IsZero() || oldest.since.Before(at.Since) {
			at.Registry, at.Since, at.Reason = w.host, oldest.since.UTC(), reasonOf(oldest.verdict)
		}
		byHost[w.host] = at
	}
	list := slices.SortedFunc(maps.Values(byHost), func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Registry, b.Registry))
	})
	for i := range list {
		list[i].Since = list[i].Since.Truncate(time.Second)
	}
	return append([]Waiting{}, list[:min(len(list), maxWaiting)]...)
}
