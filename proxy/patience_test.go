package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a [net.Listener] of connections in memory, whose deadlines follow the clock of a test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

// dial returns the client's end of a connection.
func (p *pipes) dial() net.Conn {
	conn, other := net.Pipe()
	p.conns <- other
	return conn
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4511} }

// TestPushPatience has a client stop in the middle of what it sends: it gets an answer after a while. A client that is
// only slow has sent all.
func TestPushPatience(t *testing.T) {
	t.Parallel()
	const index = "application/vnd.oci.image.index.v1+json"
	manifest := `{"schemaVersion":2,"mediaType":"` + index + `","manifests":[]}`
	const nothingCame = "no byte of the %s came for 5 minutes"
	for _, tt := range []struct {
		name, method, path, body string
		stops                    time.Duration // until the answer, of a client that stops
		want                     int
		message                  string
	}{
		{"slow manifest", http.MethodPut, app + "/manifests/1.0", manifest, 0, http.StatusCreated, ""},
		{"manifest", http.MethodPut, app + "/manifests/1.0", manifest, uploadIdle, http.StatusBadRequest, fmt.Sprintf(nothingCame, "manifest")},
		{"large manifest", http.MethodPut, app + "/manifests/1.0", paddedManifest(smallManifest + 1), largeManifestTime, http.StatusBadRequest, "the manifest did not come within 60 seconds"},
		{"slow blob", http.MethodPatch, "", "some bytes of a blob", 0, http.StatusAccepted, ""},
		{"blob", http.MethodPatch, "", "some bytes of a blob", uploadIdle, http.StatusBadRequest, fmt.Sprintf(nothingCame, "blob")},
		{"refused", http.MethodPut, "/v2/other.example/app/manifests/1.0", manifest, unreadTime, http.StatusForbidden, "other.example"},
		{"unknown path", http.MethodPost, "/v2/", manifest, unreadTime, http.StatusMethodNotAllowed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newPushSite(t)
				if tt.path == "" {
					tt.path = s.do(http.StatusAccepted, http.MethodPost, app+"/blobs/uploads/", "").Header().Get("Location")
				}
				listener := newPipes()
				server := &http.Server{Handler: s.Handler}
				go server.Serve(listener) // returns when it is closed
				defer server.Close()
				conn := listener.dial()
				defer conn.Close()
				begin := time.Now()
				go func() { // ends with the connection
					fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:4511\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", tt.method, tt.path, index, len(tt.body))
					for at := range len(tt.body) {
						if at == 10 && tt.stops > 0 {
							return
						}
						if at%10 == 0 && tt.stops == 0 {
							time.Sleep(uploadIdle - time.Second)
						}
						if _, err := conn.Write([]byte{tt.body[at]}); err != nil {
							return
						}
					}
				}()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != tt.want || !strings.Contains(string(text), tt.message) {
					t.Errorf("%s, want %d: %s, %v", response.Status, tt.want, text, err)
				}
				if took := time.Since(begin); tt.stops > 0 && took != tt.stops {
					t.Errorf("the answer came after %v, want %v", took, tt.stops)
				}
			})
		})
	}
}
