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
			w.wait(d, "no byte came")
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
		if !errors.As(context.Cause(ctx), &stall) || *stall != (stallError{"no byte came", time.Second}) {
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
