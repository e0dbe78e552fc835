package fakeaws

import (
	"context"
	"net"
	"net/http"
	"time"
)

// A Fault is how the calls of an operation fail, or how long they take. Without one of Status, Hang,
// Garbage and Reset they are only late. A service that is down altogether is one that was closed.
type Fault struct {
	Count   int             // how many calls meet it; 0: all
	Latency time.Duration   // before anything else
	Hold    <-chan struct{} // what is answered waits until it is closed

	Status        int    // answers with this HTTP status in the service's own shape, without doing anything
	Code, Message string // … and with these

	Hang    bool // never answers
	Garbage bool // answers 200 with the page of a captive portal
	Reset   bool // resets the connection
}

// SetFault lets the calls of an operation, or with "" of every one that has none of its own, meet a
// fault. The zero Fault ends it.
func (s *Server) SetFault(op string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = map[string]*Fault{}
	}
	if f == (Fault{}) {
		delete(s.faults, op)
		return
	}
	s.faults[op] = &f
}

// next returns the fault that a call meets, or nil.
func (s *Server) next(op string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.faults[op]
	if !ok {
		op = ""
		if f, ok = s.faults[op]; !ok {
			return nil
		}
	}
	met := *f
	if f.Count == 1 {
		delete(s.faults, op)
	} else if f.Count > 1 {
		f.Count--
	}
	return &met
}

// apply is true if the call is over.
func (s *Server) apply(f *Fault, w http.ResponseWriter, r *http.Request, fail shape) bool {
	if !s.wait(r.Context(), f) {
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	}
	switch {
	case f.Reset:
		reset(w)
	case f.Garbage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Welcome to the hotel's WLAN</title>\n")) // fails only when the client has gone
	case f.Status != 0:
		fail(w, &refusal{f.Status, f.Code, f.Message})
	default:
		return false
	}
	return true
}

// wait is false if the client or the server has gone meanwhile.
func (s *Server) wait(ctx context.Context, f *Fault) bool {
	stop := s.stopped()
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		case <-stop:
			return false
		}
	}
	hold := f.Hold
	if f.Hang {
		hold = make(chan struct{})
	}
	if hold == nil {
		return true
	}
	select {
	case <-hold:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

// reset ends the connection with a TCP reset, or anyhow where it cannot be had.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is closed the ordinary way
	}
	_ = conn.Close() // the client cannot tell
}
