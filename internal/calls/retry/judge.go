package retry

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"time"
)

// Verdict is what became of one try.
type Verdict int

const (
	// Final is a success, or a failure that a retry does not change.
	Final Verdict = iota
	// Throttled is a request more than the service allows.
	Throttled
	// Transient is a failure that a retry may not meet.
	Transient
	// Lagging is a refusal because one part of the service does not know yet what another has just stored.
	Lagging
	// Unreachable is a host to which no connection was ever made, see [WithReached].
	Unreachable
	// Renewed is a failure whose cause, such as an expired token, has been replaced.
	Renewed
)

// Judge returns what err means for a caller with this context, and before which time the service wants no other
// request (the zero time if it did not say). The first rule that applies counts:
//
//   - If the caller's own context has ended, nothing is retried.
//   - An error may declare what it means by a method Verdict() (Verdict, time.Time), or Permanent() bool if it
//     is final. Of the errors that err wraps the outermost that declares itself counts.
//   - Final are a cancellation, a certificate that is not accepted, a host that does not exist, and errors of
//     the file system.
//   - All else is [Transient]. That includes connections, TLS handshakes and answers that came too late, although
//     their errors are [context.DeadlineExceeded] too: the context that has ended is not the caller's.
func Judge(ctx context.Context, err error) (v Verdict, notBefore time.Time) {
	if err == nil || ctx.Err() != nil {
		return Final, time.Time{}
	}
	if v, notBefore, ok := Declared(err); ok {
		return v, notBefore
	}
	var (
		certificate *tls.CertificateVerificationError
		name        *net.DNSError
		file        *fs.PathError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, &certificate), errors.As(err, &file),
		errors.As(err, &name) && name.IsNotFound:
		return Final, time.Time{}
	}
	return Transient, time.Time{}
}

// Declared returns what the outermost error says that declares what it means, see [Judge]; of several that are
// joined, the first. ok reports whether there is one.
func Declared(err error) (v Verdict, notBefore time.Time, ok bool) {
	switch e := err.(type) {
	case interface{ Verdict() (Verdict, time.Time) }:
		v, notBefore = e.Verdict()
		return v, notBefore, true
	case interface{ Permanent() bool }:
		if e.Permanent() {
			return Final, time.Time{}, true
		}
	}
	switch e := err.(type) {
	case interface{ As(any) bool }: // go-containerregistry's errors of https and http
		var verdict interface{ Verdict() (Verdict, time.Time) }
		if e.As(&verdict) {
			v, notBefore = verdict.Verdict()
			return v, notBefore, true
		}
		var permanent interface{ Permanent() bool }
		if e.As(&permanent) && permanent.Permanent() {
			return Final, time.Time{}, true
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return Declared(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if v, notBefore, ok := Declared(inner); ok {
				return v, notBefore, true
			}
		}
	}
	return Final, time.Time{}, false
}

// As marks err with the verdict that [Judge] returns for it.
func As(v Verdict, err error) error { return &marked{err, v} }

type marked struct {
	error
	verdict Verdict
}

func (m *marked) Unwrap() error { return m.error }

func (m *marked) Verdict() (Verdict, time.Time) { return m.verdict, time.Time{} }

// CanceledError keeps the AWS SDK's own retries, which it has for its search for credentials, from an error whose
// caller is not to wait: the SDK would try for seconds to reach a host that does not exist.
func (m *marked) CanceledError() bool { return m.verdict == Final || m.verdict == Unreachable }

// GaveUp is the last error of a request that was retried as often as the policy allows. A caller around it does
// not retry it as well.
type GaveUp struct{ Err error }

func (e *GaveUp) Error() string { return e.Err.Error() }

func (e *GaveUp) Unwrap() error { return e.Err }

// Permanent makes the error final for [Judge].
func (e *GaveUp) Permanent() bool { return true }
