package calls

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/pace"
)

// Policy says for how long a call is made again, and how long it may stand still.
type Policy struct {
	// Tries is how often a call is sent that fails in passing: a reset, no answer,
	// a status of 5xx.
	Tries int
	// Pause is the wait before a call is sent again; it doubles with each time up to
	// maxPause.
	Pause time.Duration
	// Throttled is how long a call is sent again after it was refused as one too
	// many for the first time.
	Throttled time.Duration
	// Lag is how long a call is sent again that is refused since one part of the
	// service does not know yet what another has just stored.
	Lag time.Duration
	// answer is how long an answer to a request may take, bytes how long none may
	// move of a request or an answer.
	Answer, Bytes time.Duration
}

// DefaultPolicy waits for an answer as long as the AWS CLI.
func DefaultPolicy() Policy {
	return Policy{Tries: 8, Pause: 100 * time.Millisecond, Throttled: 10 * time.Minute, Lag: 5 * time.Second, Answer: time.Minute, Bytes: 30 * time.Second}
}

// MaxPause bounds the wait before a call is sent again, unless the service said more.
const MaxPause = 5 * time.Second

// Verdict is what became of one try of a call.
type Verdict int

const (
	Accepted  Verdict = iota // or refused for good
	Throttled                // one call too many
	Failed                   // may succeed another time
	Lagging                  // may succeed in a moment
	Renewed                  // may succeed with what has been renewed meanwhile
)

// Caller makes calls: it keeps to the limits, sends again what failed in passing,
// and counts.
type Caller struct {
	Limits   *Limits
	Log      *Log
	Patience Policy
}

// Call is one call with all its tries. It is used by one goroutine.
type Call struct {
	Caller
	Op    string
	Again bool // it repeats another call that failed

	sent      int
	last      time.Time // when it was sent
	failures  int
	renewals  int
	throttles int
	throttled time.Time     // since when; the zero time if it was not
	lagging   time.Time     // since when
	pause     time.Duration // before the next try
}

func (c Caller) NewCall(op string) *Call { return &Call{Caller: c, Op: op} }

// Begin waits until the call may be sent, for the first time or again.
func (c *Call) Begin(ctx context.Context) error {
	if err := (SystemClock{}).Sleep(ctx, c.pause); err != nil {
		return err
	}
	var err error
	if c.last, err = c.Limits.wait(ctx, c.Op); err != nil {
		return err
	}
	c.Log.add(c.Op, c.Again || c.sent > 0)
	c.sent++
	return nil
}

// End says what became of a try, and until when no other call is wanted (the zero
// time: that was not said). It tells whether the call is to be sent again.
func (c *Call) End(v Verdict, retryAfter time.Time) (again bool) {
	outcome := pace.Accepted
	switch v {
	case Throttled:
		outcome = pace.Throttled
	case Failed:
		outcome = pace.Unknown
	}
	c.Limits.done(c.Op, c.last, outcome, retryAfter)
	now := time.Now()
	switch v {
	case Throttled:
		if c.throttled.IsZero() {
			c.throttled = now
		}
		c.throttles++
		c.pause = c.Patience.backoff(c.throttles)
		next := now.Add(c.pause)
		if retryAfter.After(next) {
			next = retryAfter
		}
		return next.Sub(c.throttled) <= c.Patience.Throttled
	case Failed:
		c.failures++
		c.pause = c.Patience.backoff(c.failures)
		return c.failures < c.Patience.Tries && retryAfter.Sub(now) <= c.Patience.Throttled
	case Lagging:
		if c.lagging.IsZero() {
			c.lagging = now
		}
		c.pause = 2 * c.Patience.Pause
		return now.Add(c.pause).Sub(c.lagging) <= c.Patience.Lag
	case Renewed:
		c.renewals++
		c.pause = 0
		return c.renewals == 1
	}
	return false
}

// backoff is the wait before the next try after n failures: between half of it and
// all of it at random, so that calls which failed together are not sent together.
func (p Policy) backoff(n int) time.Duration {
	d := MaxPause
	if n < 16 {
		d = min(p.Pause<<(n-1), MaxPause)
	}
	return d/2 + rand.N(d/2)
}

// Send sends a request until it is neither refused as one too many nor fails in
// passing. request is called for each try. The body of an answer that refuses is
// in memory, its first 8 KiB.
func (c *Call) Send(ctx context.Context, request func() (*http.Response, error)) (*http.Response, error) {
	for {
		if err := c.Begin(ctx); err != nil {
			return nil, err
		}
		response, err := request()
		if err == nil && response.StatusCode >= http.StatusBadRequest {
			err = keepRefusal(response)
		}
		v, retryAfter := judgeAnswer(response, err)
		if !c.End(v, retryAfter) || ctx.Err() != nil {
			return response, err
		}
	}
}

// MaxRefusal is how much is read of the body of an answer that refuses.
const MaxRefusal = 8 << 10

// keepRefusal reads the body of an answer that refuses.
func keepRefusal(r *http.Response) error {
	defer r.Body.Close()
	data, err := io.ReadAll(io.LimitReader(r.Body, MaxRefusal))
	r.Body = io.NopCloser(bytes.NewReader(data))
	return err
}

// judgeAnswer says what the answer to an HTTP request means, and until when no
// other one is wanted.
func judgeAnswer(r *http.Response, err error) (Verdict, time.Time) {
	if err != nil {
		return JudgeFailure(err), time.Time{}
	}
	retryAfter := pace.RetryAfter(r.Header, time.Now())
	switch {
	case r.StatusCode == http.StatusTooManyRequests:
		return Throttled, retryAfter
	case r.StatusCode == http.StatusServiceUnavailable && isSlowDown(r):
		return Throttled, retryAfter
	case r.StatusCode >= http.StatusInternalServerError && r.StatusCode != http.StatusNotImplemented, r.StatusCode == http.StatusRequestTimeout:
		return Failed, retryAfter
	}
	return Accepted, time.Time{}
}

// JudgeFailure says whether another try may get an answer.
func JudgeFailure(err error) Verdict {
	var (
		tlsFail *tls.CertificateVerificationError
		source  *sourceError
		name    *net.DNSError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &tlsFail),
		errors.As(err, &source), errors.As(err, &name) && name.IsNotFound:
		return Accepted
	}
	return Failed
}

// isSlowDown looks for the way in which Amazon S3 refuses a request as one too many:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
func isSlowDown(r *http.Response) bool {
	data, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	code, _ := ParseS3Error(data)
	return err == nil && code == "SlowDown"
}
