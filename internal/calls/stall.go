package calls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Sender sends requests. It is an http.RoundTripper and what the SDK takes as HTTP
// client.
type Sender func(*http.Request) (*http.Response, error)

// Do implements aws.HTTPClient.
func (s Sender) Do(r *http.Request) (*http.Response, error) { return s(r) }

// RoundTrip implements http.RoundTripper.
func (s Sender) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

// stallError is the error of a request whose connection stood still, or was too slow. It is a [net.Error].
type stallError struct {
	what string
	d    time.Duration
	slow bool // bytes came, but too few of them
	// silent is set if the request was sent, and the head of its answer did not come.
	silent bool
}

func (e *stallError) Error() string { return fmt.Sprintf("%s for %s", e.what, e.d) }

// Timeout implements [net.Error].
func (e *stallError) Timeout() bool { return true }

// Temporary implements [net.Error].
func (e *stallError) Temporary() bool { return true }

// Permanent makes the error of a slow answer final for [retry.Judge]: a reader that resumes would else be held for
// ever by a server that sends a few bytes each time.
func (e *stallError) Permanent() bool { return e.slow }

// IsStall reports whether a sender that [Watched] returned has ended the request.
func IsStall(err error) bool {
	var stall *stallError
	return errors.As(err, &stall)
}

type documentKey struct{}

// Document returns the context of a request whose answer is read as a whole, which has to be complete within the
// policy's time.
func Document(ctx context.Context) context.Context {
	return context.WithValue(ctx, documentKey{}, true)
}

// Documents returns a sender whose answers are all read as a whole, see [Document].
func Documents(next Sender) Sender {
	return func(r *http.Request) (*http.Response, error) { return next(r.WithContext(Document(r.Context()))) }
}

// sourceError is the error of a request whose body could not be read: it is not the
// connection that failed.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// Permanent makes the error final for [retry.Judge].
func (e *sourceError) Permanent() bool { return true }

// leastTry is how long a try may stand still at least before another one is made.
const leastTry = 10 * time.Second

// within returns the policy of a try that is made now: its answer takes no longer than [retry.WithAnswer] says, and if the
// context has a deadline, one that stands still leaves half of the time for the next ones, unless that is short.
func within(ctx context.Context, p retry.Policy) retry.Policy {
	p.Answer = retry.AnswerOf(ctx, p.Answer)
	deadline, ok := ctx.Deadline()
	if !ok {
		return p
	}
	limit := max(time.Until(deadline)/2, leastTry)
	for _, d := range []*time.Duration{&p.Answer, &p.Bytes, &p.Document} {
		if *d > 0 {
			*d = min(*d, limit)
		}
	}
	return p
}

// Watched returns a sender that ends requests whose connection stands still: no
// byte of the body is taken, no answer comes, or no byte of it, or too few of them
// for the policy's rate. The time that our own side takes for the body or with the
// answer does not count. Where the context has a deadline, it waits no longer than half of
// the time until then, or ten seconds.
func Watched(next Sender, patience func() retry.Policy) Sender {
	return func(r *http.Request) (*http.Response, error) {
		ctx, cancel := context.WithCancelCause(r.Context())
		w := &stallWatch{patience: within(ctx, patience()), cancel: cancel, began: time.Now()}
		r = r.WithContext(ctx)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &sentBody{ReadCloser: r.Body, watch: w, rate: newLeastRate(w.patience)}
			r.GetBody = nil
		}
		w.answer()
		arrived := retry.FirstAnswer(r.Context(), r.URL.Host, w.patience.Answer)
		response, err := next(r)
		w.arrived()
		arrived()
		if err != nil {
			err = w.cause(ctx, err)
			var stall *stallError
			if errors.As(err, &stall) && stall.silent {
				retry.Unanswered(r.Context(), stall.d)
			}
			cancel(nil)
			return nil, err
		}
		body := &receivedBody{ReadCloser: response.Body, ctx: ctx, watch: w, rate: newLeastRate(w.patience), document: w.patience.Document}
		if whole, _ := r.Context().Value(documentKey{}).(bool); !whole {
			body.document = 0
		}
		response.Body = withRoom(r.Context(), body)
		return response, nil
	}
}

// stallWatch is the watch on one request.
type stallWatch struct {
	patience retry.Policy
	cancel   context.CancelCauseFunc
	began    time.Time

	mu     sync.Mutex
	timer  *time.Timer
	stall  stallError // what it is if nothing happens until then
	until  time.Time  // the zero time: nothing is waited for
	head   bool       // the head of the answer is there
	source error      // why the body could not be read
}

// waitForAnswer is waitFor for the head of the answer: bytes of it that are not all do not count.
func (w *stallWatch) waitForAnswer(d time.Duration) {
	w.waitFor(d, stallError{what: "no answer came", d: d, silent: true})
}

// waitFor ends the request with this error if nothing has happened after d. It is called for each read of a body, so
// one timer serves for all of them.
func (w *stallWatch) waitFor(d time.Duration, stall stallError) {
	w.stall, w.until = stall, time.Now().Add(d)
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.expire)
		return
	}
	w.timer.Reset(d)
}

// expire ends the request, unless something has happened while the timer fired.
func (w *stallWatch) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.until.IsZero() && !time.Now().Before(w.until) {
		stall := w.stall
		w.cancel(&stall)
	}
}

// pause ends the wait, which is to begin again.
func (w *stallWatch) pause() { w.until = time.Time{} }

// stop ends the wait.
func (w *stallWatch) stop() {
	w.pause()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// answer begins the wait for an answer.
func (w *stallWatch) answer() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waitForAnswer(w.patience.Answer)
}

// arrived ends it.
func (w *stallWatch) arrived() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.head = true
	w.stop()
}

// cause is why the request failed with err.
func (w *stallWatch) cause(ctx context.Context, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.source != nil {
		return &sourceError{w.source}
	}
	if stall, ok := context.Cause(ctx).(*stallError); ok {
		return stall
	}
	return err
}

// sentBody is the body of a request.
type sentBody struct {
	io.ReadCloser
	watch *stallWatch

	rate leastRate
	last int       // bytes that the last Read returned, which have been taken when the next one begins
	when time.Time // that it did; the zero time before
}

func (b *sentBody) Read(p []byte) (int, error) {
	w := b.watch
	w.mu.Lock()
	if !w.head {
		w.pause()
	}
	if !b.when.IsZero() {
		b.rate.note(b.last, time.Since(b.when))
	}
	w.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	b.last, b.when = n, time.Now()
	switch {
	case w.head:
	case err == nil:
		w.waitFor(b.rate.limit("was taken", "were taken"))
	case err == io.EOF:
		// Over a slow link much of the body is still in the buffers of this machine.
		w.waitForAnswer(max(w.patience.Answer, time.Since(w.began)))
	case errors.Is(err, io.ErrClosedPipe): // by who had sent it before, and sends it again
	default:
		w.source = err
	}
	return n, err
}

// receivedBody is the body of an answer.
type receivedBody struct {
	io.ReadCloser
	ctx   context.Context
	watch *stallWatch

	rate     leastRate
	document time.Duration // in which it must be complete; 0 is any time
}

func (b *receivedBody) Read(p []byte) (int, error) {
	w := b.watch
	w.mu.Lock()
	w.waitFor(b.limit())
	w.mu.Unlock()
	began := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.note(n, time.Since(began))
	w.mu.Lock()
	if w.pause(); err != nil {
		w.stop()
	}
	w.mu.Unlock()
	if err != nil && err != io.EOF {
		err = w.cause(b.ctx, err)
	}
	return n, err
}

// limit returns how long the next bytes may take, and what it is if they take longer.
func (b *receivedBody) limit() (time.Duration, stallError) {
	d, stall := b.rate.limit("came", "came")
	policy := b.watch.patience
	if policy.Document > 0 && b.document > 0 && b.document < d {
		d, stall = b.document, stallError{what: "the answer was incomplete", d: policy.Document, slow: true}
	}
	return d, stall
}

// note counts n bytes that took d.
func (b *receivedBody) note(n int, d time.Duration) {
	b.rate.note(n, d)
	if b.document > 0 {
		b.document = max(b.document-d, 1)
	}
}

func (b *receivedBody) Close() error {
	w := b.watch
	w.mu.Lock()
	w.stop()
	w.mu.Unlock()
	defer w.cancel(nil)
	return b.ReadCloser.Close()
}
