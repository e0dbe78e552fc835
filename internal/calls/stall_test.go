package calls

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// TestSlowSourceIsNoStall has our own side be slow, with the body and with the answer.
func TestSlowSourceIsNoStall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			_, _ = w.Write(data)
		}
	}))
	t.Cleanup(server.Close)
	waits := retry.Policy{Answer: 200 * time.Millisecond, Bytes: 200 * time.Millisecond}
	send := Watched(http.DefaultTransport.RoundTrip, func() retry.Policy { return waits })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, slowly{strings.NewReader("abc"), 300 * time.Millisecond})
	check(t, err)
	response, err := send(request)
	check(t, err)
	defer response.Body.Close()
	time.Sleep(300 * time.Millisecond)
	data, err := io.ReadAll(response.Body)
	if err != nil || string(data) != "abc" {
		t.Errorf("%q, %v", data, err)
	}
}

// slowly gives a byte at a time.
type slowly struct {
	r io.Reader
	d time.Duration
}

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(s.d)
	return s.r.Read(p[:1])
}

// TestStall has a server answer nothing, or stop in the middle.
func TestStall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			_, _ = w.Write([]byte("half"))
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	waits := retry.Policy{Answer: 100 * time.Millisecond, Bytes: 100 * time.Millisecond}
	send := Watched(http.DefaultTransport.RoundTrip, func() retry.Policy { return waits })
	for _, path := range []string{"/none", "/half"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		check(t, err)
		response, err := send(request)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		var stall *stallError
		if !errors.As(err, &stall) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestStallWatch waits several times with one timer: only a wait that nobody ends
// ends the request.
func TestStallWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		w := &stallWatch{cancel: cancel}
		wait := func(d time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.waitFor(d, stallError{what: "no byte came", d: d})
		}
		pause := func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.pause()
		}
		for range 3 {
			wait(time.Second)
			time.Sleep(900 * time.Millisecond)
			wait(2 * time.Second)
			time.Sleep(1900 * time.Millisecond)
			pause()
			time.Sleep(5 * time.Second)
		}
		if ctx.Err() != nil {
			t.Fatalf("ended: %v", context.Cause(ctx))
		}
		wait(time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		var stall *stallError
		if !errors.As(context.Cause(ctx), &stall) || *stall != (stallError{what: "no byte came", d: time.Second}) {
			t.Errorf("got %v", context.Cause(ctx))
		}
	})
}

// TestSlowBody has the body of a request be in the buffers of this machine for longer than an answer may take.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := retry.Policy{Answer: time.Minute, Bytes: 30 * time.Second}
		link := Sender(func(r *http.Request) (*http.Response, error) {
			body := make([]byte, 100)
			for range 10 { // 20 s each for half of the bytes: the others wait in the buffer
				if _, err := io.ReadFull(r.Body, body[:10]); err != nil {
					return nil, err
				}
				time.Sleep(20 * time.Second)
			}
			if _, err := r.Body.Read(body); err != io.EOF {
				t.Errorf("got %v", err)
			}
			select {
			case <-time.After(100 * time.Second):
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://registry.test", strings.NewReader(strings.Repeat("x", 100)))
		check(t, err)
		response, err := Watched(link, func() retry.Policy { return waits })(request)
		check(t, err)
		response.Body.Close()
	})
}

// drip is a body that brings n bytes each time, after a pause.
type drip struct {
	ctx   context.Context
	n     int
	pause time.Duration
	left  int
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	n := min(d.n, len(p), d.left)
	if d.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (d *drip) Close() error { return nil }

// TestSlowAnswer has answers come in drips: what would hold a command for ever ends, with an error that is final for
// readers that resume, and what is only slow does not. A document has to be complete in its time.
func TestSlowAnswer(t *testing.T) {
	for _, test := range []struct {
		name     string
		n        int
		pause    time.Duration
		size     int
		document bool
		want     string // part of the error
		within   time.Duration
	}{
		{"a byte every two seconds", 1, 2 * time.Second, 1 << 20, false, "fewer than 512 bytes a second came for 2m0s", 3 * time.Minute},
		{"a slow line", 6 << 10, 10 * time.Second, 8 << 20, false, "", 24 * time.Hour},
		{"pauses of a slow line", 8 << 10, 14 * time.Second, 1 << 20, false, "", 24 * time.Hour},
		{"a document over a slow line", 6 << 10, 10 * time.Second, 100 << 10, true, "", 5 * time.Minute},
		{"a slow document", 6 << 10, 10 * time.Second, 4 << 20, true, "the answer was incomplete for 5m0s", 6 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.document {
					ctx = Document(ctx)
				}
				send := Watched(func(r *http.Request) (*http.Response, error) {
					return &http.Response{Body: &drip{ctx: r.Context(), n: test.n, pause: test.pause, left: test.size}}, nil
				}, retry.Default)
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://registry.test", nil)
				check(t, err)
				began := time.Now()
				response, err := send(request)
				check(t, err)
				n, err := io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if took := time.Since(began); took > test.within {
					t.Errorf("took %s", took)
				}
				if test.want == "" {
					if err != nil || n != int64(test.size) {
						t.Errorf("%d bytes, %v", n, err)
					}
					return
				}
				if v, _ := retry.Judge(t.Context(), err); err == nil || v != retry.Final || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, %v", v, err)
				}
			})
		})
	}
}

// TestRateHasNoCredit has an answer be fast at first: that is no excuse for what follows.
func TestRateHasNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := Watched(func(r *http.Request) (*http.Response, error) {
			ctx := r.Context()
			return &http.Response{Body: struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader(strings.Repeat("x", 64<<20)), &drip{ctx: ctx, n: 1, pause: 2 * time.Second, left: 1 << 20}), io.NopCloser(nil)}}, nil
		}, retry.Default)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.test", nil)
		check(t, err)
		began := time.Now()
		response, err := send(request)
		check(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if took := time.Since(began); err == nil || took > 3*time.Minute {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// TestStallBeforeADeadline has a server be silent, or stop in the middle of an answer, three times, to a caller that has
// a minute.
func TestStallBeforeADeadline(t *testing.T) {
	for name, limit := range map[string]time.Duration{"a minute": time.Minute, "a quarter": 15 * time.Second} {
		for _, half := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					stalls := 3
					if limit < time.Minute {
						stalls = 1
					}
					send := Watched(func(r *http.Request) (*http.Response, error) {
						if stalls--; stalls < 0 {
							return answer(200, "whole", nil), nil
						}
						if half {
							return &http.Response{StatusCode: 200, Body: io.NopCloser(&silent{r.Context()})}, nil
						}
						<-r.Context().Done()
						return nil, r.Context().Err()
					}, retry.Default)
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					err := retry.Do(ctx, retry.Default(), func(ctx context.Context) error {
						request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.test/", nil)
						check(t, err)
						response, err := send(request)
						if err != nil {
							return err
						}
						defer response.Body.Close()
						_, err = io.ReadAll(response.Body)
						return err
					})
					check(t, err)
				})
			})
		}
	}
}

// silent is a body that never brings a byte.
type silent struct{ ctx context.Context }

func (s *silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// TestUnanswered has a host never answer. What is asked of it is given up after five minutes, if it was sent at least twice.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer time.Duration // that one answer may take
		want   int           // tries
	}{{time.Minute, 5}, {2 * time.Minute, 3}, {5 * time.Minute, 2}, {time.Hour, 2}, {time.Second, 8}} {
		policy := retry.Default()
		policy.Answer = test.answer
		var sent int
		send := Watched(func(r *http.Request) (*http.Response, error) {
			sent++
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, func() retry.Policy { return policy })
		request := func(ctx context.Context) (*http.Response, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.test/", nil)
			check(t, err)
			return (&http.Client{Transport: send}).Do(r)
		}
		for how, run := range map[string]func(context.Context) error{
			"do": func(ctx context.Context) error {
				return retry.Do(ctx, policy, func(ctx context.Context) error {
					_, err := request(ctx)
					return err
				})
			},
			"call": func(ctx context.Context) error {
				_, err := Caller{new(Limits), new(Log), policy}.NewCall("op").Send(ctx, request)
				return err
			},
		} {
			t.Run(how+" "+test.answer.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent = 0
					err := run(t.Context())
					if sent != test.want || err == nil || !strings.Contains(err.Error(), "no answer came for "+test.answer.String()) {
						t.Errorf("sent %d times, want %d: %v", sent, test.want, err)
					}
				})
			})
		}
	}
}
