package retry

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnreached counts the tries of requests whose connections fail, and measures how long somebody waits for the
// error, with and without a connection to the same address before.
func TestUnreached(t *testing.T) {
	var (
		refused     = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		noRoute     = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
		busyNames   = &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}
		silentNames = &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}}
		noName      = &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
		policy      = Default()
	)
	for name, tt := range map[string]struct {
		err           error         // of a connection; nil: none is made, and none is refused
		plain         bool          // without WithReached
		before        bool          // the address was reached before
		tries, most   int           // the least and the most connections that are tried
		waits, within time.Duration // for the error, and at most
		said          string        // what somebody is told that is waited for
	}{
		"refused":                      {err: refused, tries: 3, most: 5, within: policy.Unreachable},
		"no network":                   {err: noRoute, tries: 3, most: 5, within: policy.Unreachable},
		"name server fails":            {err: busyNames, tries: 3, most: 5, within: policy.Unreachable},
		"name server is silent":        {err: silentNames, tries: 1, most: 1},
		"no such host":                 {err: noName, tries: 1, most: 1},
		"silence":                      {tries: 1, most: 1, waits: 10 * time.Second, within: 10 * time.Second, said: "a connection to registry.example:443 8s"},
		"refused, reached before":      {err: refused, before: true, tries: policy.Tries, most: policy.Tries, waits: 5 * time.Second, within: 12 * time.Second},
		"no network, reached before":   {err: noRoute, before: true, tries: policy.Tries, most: policy.Tries, waits: 5 * time.Second, within: 12 * time.Second},
		"no such host, reached before": {err: noName, before: true, tries: 1, most: 1},
		"refused, nobody waits":        {err: refused, plain: true, tries: policy.Tries, most: policy.Tries, waits: 5 * time.Second, within: 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said []string
				ctx := t.Context()
				if !tt.plain {
					ctx = WithReached(ctx, func(what string, most time.Duration) { said = append(said, what+" "+most.String()) })
				}
				up, dials := tt.before, 0
				dial := Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
					if up {
						return nil, nil
					}
					dials++
					if tt.err == nil {
						<-ctx.Done()
						return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
					}
					return nil, tt.err
				})
				send := func(ctx context.Context) error {
					_, err := dial.Dial(ctx, "tcp", "registry.example:443")
					return err
				}
				if tt.before {
					if err := Do(ctx, policy, send); err != nil {
						t.Fatal(err)
					}
					up = false
				}
				began := time.Now()
				err := Do(ctx, policy, send)
				if err == nil || tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("%v", err)
				}
				if dials < tt.tries || dials > tt.most {
					t.Errorf("%d connections, want %d to %d", dials, tt.tries, tt.most)
				}
				if took := time.Since(began); took < tt.waits || took > tt.within {
					t.Errorf("the error came after %s, want %s to %s", took, tt.waits, tt.within)
				}
				synctest.Wait()
				if strings.Join(said, ", ") != tt.said {
					t.Errorf("said %q", said)
				}
			})
		})
	}
}

// TestUnreachedElsewhere: one address that was reached says nothing about another.
func TestUnreachedElsewhere(t *testing.T) {
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	dial := Dialer(func(_ context.Context, _, address string) (net.Conn, error) {
		if address == "a:443" {
			return nil, nil
		}
		return nil, refused
	})
	ctx := WithReached(t.Context(), nil)
	if _, err := dial.Dial(ctx, "tcp", "a:443"); err != nil {
		t.Fatal(err)
	}
	_, err := dial.Dial(ctx, "tcp", "b:443")
	if v, _ := Judge(ctx, err); v != Unreachable || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%d, %v", v, err)
	}
}

// TestFirstAnswer: somebody who waits for the first answer of a host is told so once, and not while a connection is
// made, for which the wait is short.
func TestFirstAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		connects, answers time.Duration // how long each takes
		before            bool          // the host has answered before
		said              []string
	}{
		"soon":                {answers: time.Second},
		"late":                {answers: 90 * time.Second, said: []string{"an answer from registry.example 57.8s"}},
		"late, after another": {answers: 90 * time.Second, before: true},
		"no connection":       {connects: time.Hour, said: []string{"a connection to registry.example:443 8s"}},
		"slow connection":     {connects: 1700 * time.Millisecond, answers: 9 * time.Second, said: []string{"an answer from registry.example 57.8s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said []string
				ctx := WithReached(t.Context(), func(what string, most time.Duration) { said = append(said, what+" "+most.String()) })
				if tt.before {
					FirstAnswer(ctx, "registry.example", time.Minute)()
				}
				arrived := FirstAnswer(ctx, "registry.example", time.Minute)
				_, err := Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
					return nil, System{}.Sleep(ctx, tt.connects)
				}).Dial(ctx, "tcp", "registry.example:443")
				if err == nil {
					time.Sleep(tt.answers)
				}
				arrived()
				synctest.Wait()
				if !slices.Equal(said, tt.said) {
					t.Errorf("said %q, want %q", said, tt.said)
				}
			})
		})
	}
}
