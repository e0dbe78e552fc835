package localecr

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ecrkit/ecrkit/localecr/internal/answer"
	"github.com/ecrkit/ecrkit/localecr/internal/identity"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// An exchange is one request to an endpoint: what is known of it, its line of the audit log, and its answer.
type exchange struct {
	server    *Server
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	call      Call

	principal identity.Principal
	region    string
	account   string // whose registry the call is about

	received *countingBody
	sent     *answer.Writer
	fault    *Fault
	reset    bool // a fault wants the connection reset
}

// serve answers a request to an endpoint: it counts bytes, makes a scripted fault happen, and writes the audit line
// before the client can have the whole answer. op and repository are known from the request's head.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, endpoint, op, repository string, run func(*exchange)) {
	x := &exchange{server: s, r: r, requestID: uuid.NewString(), call: Call{Op: op, Endpoint: endpoint, Repository: repository}}
	x.sent = answer.New(w)
	x.w = x.sent
	x.received = &countingBody{ReadCloser: r.Body}
	r.Body = x.received
	w.Header().Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
	defer func() {
		cut := recover()
		x.call.Time, x.call.Status = s.clock.Now().UTC(), x.sent.Status
		x.call.BytesIn, x.call.BytesOut = x.received.n, x.sent.Bytes
		if s.audit != nil {
			s.audit.Record(x.call)
		}
		if cut != nil {
			panic(cut)
		}
		x.sent.Finish()
	}()
	if x.fault = s.script.next(op, repository); x.fault != nil && x.meet() {
		return
	}
	run(x)
	if x.reset || x.fault != nil && x.fault.ResetResponseAfter != nil {
		x.cut(true)
	}
	if waiting := x.received.n == 0 && r.Header.Get("Expect") != ""; x.sent.Status >= 400 && !waiting {
		drain(x.r.Body)
	}
}

// drain reads the rest of a refused request's body, up to a layer part and more. Otherwise a client that is still sending
// would see a broken connection and not the error.
func drain(body io.Reader) {
	const most = 32 << 20
	_, _ = io.CopyN(io.Discard, body, most) // fails when the client has gone
}

// meet prepares the exchange for its fault, and reports whether that was the answer already.
func (x *exchange) meet() (answered bool) {
	f := x.fault
	switch {
	case f.Status != 0:
		if f.RetryAfter != "" {
			x.w.Header().Set("Retry-After", f.RetryAfter)
		}
		x.fail(&scriptedError{f})
		return true
	case f.ResetRequestAfter != nil:
		x.r.Body = &faultyBody{ReadCloser: x.r.Body, left: *f.ResetRequestAfter, reset: &x.reset}
	case f.Stall != 0 && f.StallAfter == 0:
		x.wait(f.Stall)
	default:
		x.w = &faultyWriter{ResponseWriter: x.w, fault: f, cut: x.cut, wait: x.wait}
	}
	return false
}

// wait lasts d, or until the client goes.
func (x *exchange) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-x.r.Context().Done():
	}
}

// connKey is where Serve's ConnContext puts the connection of a request.
type connKey struct{}

// cut ends the connection, with a reset or after what was sent, and the request with it. Where the
// fault wants the answer lost, not even its head is sent.
func (x *exchange) cut(reset bool) {
	lost := x.fault.ResetRequestAfter != nil || x.fault.ResetResponseAfter != nil && *x.fault.ResetResponseAfter == 0
	if !lost {
		_ = http.NewResponseController(x.w).Flush() // fails only when the client has gone, which is the aim
	}
	if c, ok := x.r.Context().Value(connKey{}).(net.Conn); ok && reset {
		resetOnClose(c)
	}
	x.call.Error = "cut by a scripted fault"
	panic(http.ErrAbortHandler)
}

// resetOnClose makes the closing of a connection a TCP reset.
func resetOnClose(c net.Conn) {
	for {
		switch t := c.(type) {
		case *net.TCPConn:
			_ = t.SetLinger(0) // fails only on a closed connection
			return
		case interface{ NetConn() net.Conn }:
			c = t.NetConn()
		default:
			return
		}
	}
}

// fail answers with an error in the shape of the exchange's endpoint.
func (x *exchange) fail(err error) {
	switch x.call.Endpoint {
	case EndpointAPI:
		x.failAPI(err)
	case EndpointV2:
		x.failV2(err)
	default:
		x.failS3(err)
	}
}

// internal reports an error that is not the client's to the server's log. A client that went away is
// nobody's error, and a connection that a fault cuts is none.
func (x *exchange) internal(err error) {
	if !x.reset && x.r.Context().Err() == nil && !errors.Is(err, context.Canceled) {
		x.server.logger.Error("local ECR", "op", x.call.Op, "request", x.requestID, "error", err)
	}
}

// authenticated notes who calls, and in which region.
func (x *exchange) authenticated(p identity.Principal, region string) {
	x.principal, x.region, x.account = p, region, p.Account
	x.call.Principal, x.call.Account = p.ARN, p.Account
}

// registry is the registry that the call is about.
func (x *exchange) registry() *registry.Registry {
	return x.server.store.Registry(x.account, x.region).At(x.server.registryHost(x.r.Host, x.account, x.region))
}

// countingBody counts the bytes of a request's body, and keeps the error on which it broke off.
type countingBody struct {
	io.ReadCloser
	n      int64
	broken error
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err != nil && err != io.EOF {
		b.broken = err
	}
	return n, err
}
