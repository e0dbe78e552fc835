package calls

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// TestSlowUpload has a server take the body of a request slowly. Below the rate of the policy that has an end, however the body is
// read; a slow link is not ended.
func TestSlowUpload(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	for name, test := range map[string]struct {
		rate int // bytes a second
		read int // at most so many bytes at a time are read of the body
		slow bool
	}{
		"whole buffers, too slow": {100, 1 << 20, true},
		"a few bytes, too slow":   {100, 700, true},
		"whole buffers, slow":     {4 << 10, 1 << 20, false},
		"a few bytes, slow":       {4 << 10, 700, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				done := make(chan struct{})
				defer func() {
					client.Close()
					<-done
				}()
				go func() {
					defer close(done)
					buffer := make([]byte, test.rate)
					for taken := 0; taken < size; {
						n, err := server.Read(buffer)
						if err != nil {
							return
						}
						taken += n
						time.Sleep(time.Duration(n) * time.Second / time.Duration(test.rate))
					}
					_, _ = io.WriteString(server, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
					_, _ = io.Copy(io.Discard, server)
				}()
				transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
				defer transport.CloseIdleConnections()
				body := pieces{strings.NewReader(strings.Repeat("x", size)), test.read}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1:5000/", body)
				check(t, err)
				request.ContentLength = size
				began := time.Now()
				response, err := Watched(transport.RoundTrip, retry.Default)(request)
				if err == nil {
					response.Body.Close()
				}
				var stall *stallError
				if errors.As(err, &stall) != test.slow || err != nil && !test.slow {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				if took := time.Since(began); test.slow && took > 10*time.Minute {
					t.Errorf("took %s: %v", took, err)
				}
			})
		})
	}
}

// pieces reads at most so many bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }
