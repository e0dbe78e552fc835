package transfer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestPushReplacesStalledUpload has the connections of the first parts take no byte
// after those that the operating systems have room for.
func TestPushReplacesStalledUpload(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	hole, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	check(t, err)
	t.Cleanup(func() { hole.Close() })
	e := w.repository("app")
	e.Upload = UploadNative
	e.patience.bytes, e.patience.answer = 300*time.Millisecond, 5*time.Second
	var dials atomic.Int32
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) <= 2 {
			addr = hole.Addr().String()
		}
		return dialer.DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	e.parts = watched((&http.Client{Transport: transport}).Do, e.waits)
	src, _ := newImage(t, 25<<20)
	result := mustCopy(t, NewLayout(src), e, Options{Reference: "x", Tags: []string{"x"}})
	if result.Retries < 1 {
		t.Error("nothing was sent again")
	}
}

// TestSlowSourceIsNoStall has our own side be slow, with the body and with the answer.
func TestSlowSourceIsNoStall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			_, _ = w.Write(data)
		}
	}))
	t.Cleanup(server.Close)
	waits := patience{answer: 200 * time.Millisecond, bytes: 200 * time.Millisecond}
	send := watched(http.DefaultTransport.RoundTrip, func() patience { return waits })
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
	waits := patience{answer: 100 * time.Millisecond, bytes: 100 * time.Millisecond}
	send := watched(http.DefaultTransport.RoundTrip, func() patience { return waits })
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

// TestRetryAfterForAll has one of many calls told to wait: no other of its operation
// comes before.
func TestRetryAfterForAll(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _ := newImage(t, make([]int64, 12)...)
	check(t, w.server.SetFaults(localecr.Fault{Op: "InitiateLayerUpload", Nth: 3, Status: 429, RetryAfter: "1"}))
	e := w.repository("app")
	mustCopy(t, NewLayout(src), e, Options{Reference: "x", Tags: []string{"x"}, AllConnections: 3})
	var told time.Time
	later := 0
	for _, c := range w.calls.Calls() {
		switch {
		case c.Op != "InitiateLayerUpload":
		case c.Status == 429:
			told = c.Time
		case told.IsZero() || c.Time.Sub(told) < 300*time.Millisecond: // on their way then
		case c.Time.Sub(told) < 990*time.Millisecond:
			t.Errorf("a call came after %s", c.Time.Sub(told))
		default:
			later++
		}
	}
	if later == 0 {
		t.Error("no call came later")
	}
}
