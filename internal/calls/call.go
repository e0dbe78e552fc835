package calls

import (
	"context"
	"net/http"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/pace"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Caller makes calls: it keeps to the limits, retries what failed in a transient way, and counts.
type Caller struct {
	Limits *Limits
	Log    *Log
	Policy retry.Policy
}

// Call is one call with all its tries. It is used by one goroutine.
type Call struct {
	Caller
	Op string
	// Repeats marks a call that repeats another one that failed.
	Repeats bool

	tries *retry.Tries
	sent  int
	last  time.Time // when it was sent, by the clock of the limits
}

// NewCall returns a call of an operation. It is not sent yet.
func (c Caller) NewCall(op string) *Call { return &Call{Caller: c, Op: op, tries: retry.New(c.Policy)} }

// Begin waits until the call may be sent, for the first time or again, and returns the context to send it with. The
// error is that of the context, or a [*retry.LimitError].
func (c *Call) Begin(ctx context.Context) (context.Context, error) {
	if err := c.tries.Wait(ctx); err != nil {
		return nil, err
	}
	var err error
	if c.last, err = c.Limits.wait(ctx, c.Op); err != nil {
		return nil, err
	}
	repeated := c.sent
	if c.Repeats {
		repeated = max(repeated, 1)
	}
	c.Log.add(c.Op, repeated > 0)
	c.sent++
	return c.tries.With(retry.Repeated(ctx, repeated)), nil
}

// End notes what became of a try, and before which time no other call is wanted (the zero time if that was not
// said). It reports whether the call is to be retried.
func (c *Call) End(ctx context.Context, v retry.Verdict, notBefore time.Time) (again bool) {
	outcome := pace.Accepted
	switch v {
	case retry.Throttled:
		outcome = pace.Throttled
	case retry.Transient, retry.Unreachable:
		outcome = pace.Unknown
	}
	c.tries.ThrottledSince(c.Limits.done(c.Op, c.last, outcome, notBefore))
	return c.tries.Again(ctx, v, notBefore)
}

// Send sends a request until it is neither throttled nor fails in a transient way. request is called for each try
// with its context. The body of an answer with a status of 400 or more is in memory, its first 8 KiB.
func (c *Call) Send(ctx context.Context, request func(context.Context) (*http.Response, error)) (*http.Response, error) {
	for {
		sending, err := c.Begin(ctx)
		if err != nil {
			return nil, err
		}
		response, err := request(sending)
		if err == nil && response.StatusCode >= http.StatusBadRequest {
			err = keepRefusal(response)
		}
		v, notBefore := judgeAnswer(ctx, response, err)
		if !c.End(ctx, v, notBefore) {
			return response, err
		}
	}
}
