package retry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// timeout is the error of a connection that took too long, as package net and net/http make them.
type timeout struct{}

func (timeout) Error() string        { return "TLS handshake timeout" }
func (timeout) Timeout() bool        { return true }
func (timeout) Temporary() bool      { return true }
func (timeout) Is(target error) bool { return target == context.DeadlineExceeded }

type permanent struct{ error }

func (permanent) Permanent() bool { return true }

type throttled struct{ error }

func (throttled) Verdict() (Verdict, time.Time) { return Throttled, time.Unix(9, 0) }

// several are errors that errors.As finds and Unwrap does not return, as go-containerregistry makes them.
type several []error

func (s several) Error() string { return fmt.Sprint(s[0]) }

func (s several) As(target any) bool {
	return slices.ContainsFunc(s, func(err error) bool { return errors.As(err, target) })
}

func TestJudge(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		err  error
		want Verdict
	}{
		"success":              {nil, Final},
		"reset":                {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, Transient},
		"short body":           {fmt.Errorf("body: %w", io.ErrUnexpectedEOF), Transient},
		"dial time-out":        {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, Transient},
		"TLS time-out":         {fmt.Errorf("GET https://h: %w", timeout{}), Transient},
		"inner context's end":  {fmt.Errorf("dial: %w", context.DeadlineExceeded), Transient},
		"inner cancellation":   {context.Canceled, Final},
		"no such host":         {&net.DNSError{IsNotFound: true}, Final},
		"name server is busy":  {&net.DNSError{IsTemporary: true}, Transient},
		"wrong certificate":    {&tls.CertificateVerificationError{Err: broken}, Final},
		"no such file":         {&fs.PathError{Op: "open", Err: syscall.ENOENT}, Final},
		"permanent":            {fmt.Errorf("blob: %w", permanent{broken}), Final},
		"throttled":            {fmt.Errorf("blob: %w", throttled{broken}), Throttled},
		"mark around an error": {As(Renewed, permanent{broken}), Renewed},
		"error around a mark":  {permanent{As(Renewed, broken)}, Final},
		"one of several":       {errors.Join(broken, permanent{broken}), Final},
		"one that As finds":    {fmt.Errorf("ping: %w", several{broken, As(Unreachable, broken), permanent{broken}}), Unreachable},
		"final one for As":     {several{broken, permanent{broken}}, Final},
		"none for As":          {several{broken, broken}, Transient},
		"gave up":              {fmt.Errorf("blob: %w", &GaveUp{throttled{broken}}), Final},
	} {
		if got, _ := Judge(t.Context(), tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	if _, at := Judge(t.Context(), throttled{broken}); at != time.Unix(9, 0) {
		t.Errorf("not before %s", at)
	}
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got, _ := Judge(ended, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}); got != Final {
		t.Errorf("after the end of the caller's context: %d", got)
	}
}

// TestDo counts tries, and measures how long they take.
func TestDo(t *testing.T) {
	broken := errors.New("broken")
	p := Default()
	for name, tt := range map[string]struct {
		err         func(n int) error
		tries       int // 0 is any number
		least, most time.Duration
		succeeds    bool
	}{
		"success":            {func(int) error { return nil }, 1, 0, 0, true},
		"final":              {func(int) error { return As(Final, broken) }, 1, 0, 0, false},
		"always transient":   {func(int) error { return broken }, p.Tries, 5 * time.Second, 12 * time.Second, false},
		"transient twice":    {func(n int) error { return until(n, 2, broken) }, 3, 100 * time.Millisecond, time.Second, true},
		"renewed once":       {func(n int) error { return until(n, 1, As(Renewed, broken)) }, 2, 0, 0, true},
		"renewed twice":      {func(n int) error { return until(n, 2, As(Renewed, broken)) }, 2, 0, 0, false},
		"lagging for a time": {func(n int) error { return until(n, 9, As(Lagging, broken)) }, 10, time.Second, 3 * time.Second, true},
		"lagging":            {func(int) error { return As(Lagging, broken) }, 0, 4 * time.Second, p.Lag, false},
		"throttled, often":   {func(n int) error { return until(n, 50, As(Throttled, broken)) }, 51, time.Minute, 5 * time.Minute, true},
		"throttled":          {func(int) error { return As(Throttled, broken) }, 0, 9 * time.Minute, p.Throttled, false},
		"come back later":    {func(n int) error { return until(n, 1, waiting(time.Minute)) }, 2, time.Minute, time.Minute, true},
		"come back too late": {func(n int) error { return until(n, 1, waiting(time.Hour)) }, 1, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, n := time.Now(), 0
				err := Do(t.Context(), p, func(ctx context.Context) error {
					if Sent(ctx) != n || IsRepeated(ctx) != (n > 0) {
						t.Errorf("the request was sent %d times before, not %d", n, Sent(ctx))
					}
					n++
					return tt.err(n - 1)
				})
				if (err == nil) != tt.succeeds || tt.tries > 0 && n != tt.tries {
					t.Errorf("%d tries: %v", n, err)
				}
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("it took %s", took)
				}
				if v, _ := Judge(t.Context(), err); v != Final {
					t.Error("a caller around it would retry again")
				}
			})
		})
	}
}

// until is the error of the first n tries.
func until(try, n int, err error) error {
	if try < n {
		return err
	}
	return nil
}

// waiting is an answer that wants no other request for some time.
type waiting time.Duration

func (w waiting) Error() string                 { return "busy" }
func (w waiting) Verdict() (Verdict, time.Time) { return Throttled, time.Now().Add(time.Duration(w)) }

// TestDoEndsWithItsContext neither waits beyond a deadline nor after a cancellation.
func TestDoEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := Do(ctx, Default(), func(context.Context) error { return broken })
		if took := time.Since(began); !errors.Is(err, broken) || took >= 2*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		ctx, cancel = context.WithCancel(t.Context())
		tries := 0
		err = Do(ctx, Default(), func(context.Context) error { tries++; cancel(); return broken })
		if !errors.Is(err, broken) || tries != 1 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
}

// TestProgress forgets failures.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := New(Default())
		for range 3 * Default().Tries {
			tries.Progress()
			if !tries.Again(t.Context(), Transient, time.Time{}) {
				t.Fatal("it gave up")
			}
			if err := tries.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestClockOfContext has the clock of a context wait in the place of the machine's.
func TestClockOfContext(t *testing.T) {
	c := &jumping{now: time.Unix(0, 0)}
	err := Do(WithClock(t.Context(), c), Default(), func(context.Context) error { return As(Throttled, errors.New("busy")) })
	if waited := c.now.Sub(time.Unix(0, 0)); err == nil || waited < 9*time.Minute {
		t.Errorf("%v after %s", err, waited)
	}
}

// jumping is a clock that jumps ahead.
type jumping struct{ now time.Time }

func (c *jumping) Now() time.Time { return c.now }

func (c *jumping) Sleep(_ context.Context, d time.Duration) error { c.now = c.now.Add(d); return nil }

// TestUnansweredProgress forgets answers that did not come before a try that brought the request forward.
func TestUnansweredProgress(t *testing.T) {
	t.Parallel()
	tries := New(Default())
	ctx := tries.With(t.Context())
	unanswered := func(want bool) {
		t.Helper()
		Unanswered(ctx, Default().Unanswered)
		if tries.Again(ctx, Transient, time.Time{}) != want {
			t.Errorf("want another try: %t", want)
		}
	}
	unanswered(true)
	tries.Progress()
	unanswered(true)
	unanswered(false)
	Unanswered(t.Context(), time.Hour) // no tries, nothing happens
}
