package calls

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// answer is the answer of a server.
func answer(status int, body string, header http.Header) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(body)))}
}

// TestSend has requests fail in several ways before one succeeds.
func TestSend(t *testing.T) {
	handshake := &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded} // it is a context.DeadlineExceeded too
	for name, tt := range map[string]struct {
		response *http.Response
		err      error
		succeeds bool
	}{
		"server error":   {answer(500, "", nil), nil, true},
		"not supported":  {answer(501, "", nil), nil, false},
		"refused":        {answer(403, "", nil), nil, false},
		"throttled":      {answer(429, "", nil), nil, true},
		"slow down":      {answer(503, "<Error><Code>SlowDown</Code></Error>", nil), nil, true},
		"dial time-out":  {nil, handshake, true},
		"source":         {nil, &sourceError{io.ErrUnexpectedEOF}, false},
		"another's end":  {nil, context.DeadlineExceeded, true},
		"broken refusal": {&http.Response{StatusCode: 400, Body: io.NopCloser(&failing{errors.New("reset")})}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var limits Limits
				var log Log
				c := Caller{&limits, &log, retry.Default()}.NewCall("op")
				sent := 0
				response, err := c.Send(t.Context(), func(ctx context.Context) (*http.Response, error) {
					if sent++; retry.Sent(ctx) != sent-1 {
						t.Errorf("%d requests before the %d.", retry.Sent(ctx), sent)
					}
					if sent < 3 && tt.err != nil {
						return nil, tt.err
					} else if sent < 3 {
						response := *tt.response // its body is read
						return &response, nil
					}
					return answer(200, "", nil), nil
				})
				if succeeded := err == nil && response.StatusCode == 200; succeeded != tt.succeeds || succeeded != (sent == 3) {
					t.Errorf("%d requests: %v", sent, err)
				}
				if counted, retries := log.Requests(); counted["op"] != sent || retries != sent-1 {
					t.Errorf("counted %v, %d retries, of %d", counted, retries, sent)
				}
			})
		})
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// TestRetryAfterForAll has one of many calls be told to wait: no other of its operation is sent before.
func TestRetryAfterForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limits Limits
		var log Log
		caller := Caller{&limits, &log, retry.Default()}
		var mu sync.Mutex
		sent, told := 0, time.Time{}
		request := func(context.Context) (*http.Response, error) {
			mu.Lock()
			sent++
			n := sent
			if now := time.Now(); !told.IsZero() && now.Sub(told) < time.Second {
				t.Errorf("a call was sent %s after it", now.Sub(told))
			}
			mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			if n != 3 {
				return answer(200, "", nil), nil
			}
			mu.Lock()
			told = time.Now()
			mu.Unlock()
			return answer(429, "", http.Header{"Retry-After": {"1"}}), nil
		}
		var group sync.WaitGroup
		todo := make(chan int, 12)
		for i := range cap(todo) {
			todo <- i
		}
		close(todo)
		for worker := range 3 {
			group.Go(func() {
				time.Sleep(time.Duration(worker) * 10 * time.Millisecond)
				for range todo {
					if response, err := caller.NewCall("op").Send(t.Context(), request); err != nil || response.StatusCode != 200 {
						t.Errorf("got %v", err)
					}
				}
			})
		}
		group.Wait()
		if sent != 13 {
			t.Errorf("%d calls were sent", sent)
		}
	})
}

// TestThrottledTogether sends several requests, one after the other, to a service that throttles all of them: they
// are given up together. An accepted one, or a pause, begins again.
func TestThrottledTogether(t *testing.T) {
	policy := retry.Default()
	for name, send := range map[string]func(t *testing.T, c Caller, answers func() *http.Response) (refused bool){
		"calls": func(t *testing.T, c Caller, answers func() *http.Response) bool {
			response, err := c.NewCall("op").Send(t.Context(), func(context.Context) (*http.Response, error) { return answers(), nil })
			check(t, err)
			return response.StatusCode != 200
		},
		"transport": func(t *testing.T, c Caller, answers func() *http.Response) bool {
			transport := c.Transport(Sender(func(*http.Request) (*http.Response, error) { return answers(), nil }), func(*http.Request) string { return "op" })
			err := retry.Do(t.Context(), policy, func(ctx context.Context) error {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.test/", nil)
				check(t, err)
				response, err := transport.RoundTrip(request)
				check(t, err)
				if response.StatusCode != 200 {
					return retry.As(retry.Throttled, errors.New("throttled"))
				}
				return nil
			})
			return err != nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := Caller{&Limits{}, &Log{}, policy}
				throttles := func() *http.Response { return answer(429, "", nil) }
				began := time.Now()
				for range 5 {
					if !send(t, c, throttles) {
						t.Error("a request has succeeded")
					}
				}
				if took := time.Since(began); took < policy.Throttled-policy.MaxPause || took > policy.Throttled+time.Minute {
					t.Errorf("five requests were given up after %v", took)
				}
				if send(t, c, func() *http.Response { return answer(200, "", nil) }) {
					t.Error("a request was refused")
				}
				for range 2 { // the second one after a pause
					n := 0
					if send(t, c, func() *http.Response {
						if n++; n < 20 {
							return throttles()
						}
						return answer(200, "", nil)
					}) {
						t.Error("a request was given up")
					}
					if !send(t, c, throttles) {
						t.Error("a request has succeeded")
					}
					time.Sleep(10 * time.Minute)
				}
			})
		})
	}
}

// TestSendFarRetryAfter has one of two requests throttled until tomorrow: neither is waited for, and the other one says
// why it was not sent.
func TestSendFarRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limits Limits
		var log Log
		c := Caller{&limits, &log, retry.Default()}
		began, sent := time.Now(), 0
		send := func(context.Context) (*http.Response, error) {
			sent++
			return answer(429, "", http.Header{"Retry-After": {"86400"}}), nil
		}
		if response, err := c.NewCall("op").Send(t.Context(), send); err != nil || response.StatusCode != 429 {
			t.Errorf("first: %v", err)
		}
		_, err := c.NewCall("op").Send(t.Context(), send)
		if v, _ := retry.Judge(t.Context(), err); err == nil || v != retry.Final || !strings.Contains(err.Error(), "before") {
			t.Errorf("second: %v", err)
		}
		if took := time.Since(began); sent != 1 || took > time.Second {
			t.Errorf("%d requests in %s", sent, took)
		}
	})
}
