package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// silent is an upstream that answers some requests only when their client has gone.
type silent struct {
	*upstream
	kinds string
	asked chan struct{} // gets one for each of them
}

func (u silent) ask(ctx context.Context, kind string) error {
	if !strings.Contains(u.kinds, kind) {
		return nil
	}
	u.asked <- struct{}{}
	<-ctx.Done()
	return fmt.Errorf("%s: %w", u, ctx.Err())
}

func (u silent) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	if err := u.ask(ctx, kindManifests); err != nil {
		return content.Manifest{}, err
	}
	return u.upstream.Resolve(ctx, reference)
}

func (u silent) StatBlob(ctx context.Context, d digest.Digest) (content.Descriptor, error) {
	if err := u.ask(ctx, "stat"); err != nil {
		return content.Descriptor{}, err
	}
	return u.upstream.StatBlob(ctx, d)
}

func (u silent) Tags(ctx context.Context) ([]string, error) { return nil, u.ask(ctx, kindTags) }

func (u silent) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	if err := u.ask(ctx, "url"); err != nil {
		return nil, err
	}
	return u.upstream.Ranges(ctx, d)
}

// TestClientGone has clients go away while they wait: the log and the metrics do not blame the registry.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kinds, method, path, kind string
		required, tooLarge        bool
	}{
		"tag":                {kinds: kindManifests, method: http.MethodGet, path: app + "/manifests/1.0", kind: kindManifests},
		"HEAD of a tag":      {kinds: kindManifests, method: http.MethodHead, path: app + "/manifests/1.0", kind: kindManifests},
		"tags":               {kinds: kindTags, method: http.MethodGet, path: app + "/tags/list", kind: kindTags},
		"size of a blob":     {kinds: "stat", method: http.MethodGet, kind: kindBlobs},
		"blob":               {kinds: "url", method: http.MethodGet, kind: kindBlobs},
		"blob without cache": {kinds: "url", method: http.MethodGet, kind: kindBlobs, tooLarge: true},
		"signature":          {kinds: "url", method: http.MethodGet, path: app + "/manifests/1.0", kind: kindManifests, required: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, log := silent{newUpstream(5 << 20), tt.kinds, make(chan struct{}, 10)}, &lines{}
			size, warnings := int64(16<<20), 0
			if tt.tooLarge {
				size, warnings = 1<<20, 1 // of the cache
			}
			s := start(t, u, t.TempDir(), size, func(o *Options) {
				o.Logger = slog.New(slog.NewJSONHandler(log, nil))
				if tt.required {
					o.Demand = func(context.Context, string, string) (ImageRequirements, error) {
						return ImageRequirements{"1", func(ctx context.Context, src content.Source, _ content.Manifest) error {
							_, err := src.(content.RangeReader).Ranges(ctx, content.Descriptor{})
							return err
						}}, nil
					}
				}
			})
			if tt.path == "" {
				tt.path = u.path()
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-u.asked
				cancel()
			}()
			request, err := http.NewRequestWithContext(ctx, tt.method, s.URL+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if response, err := s.Client().Do(request); err == nil {
				response.Body.Close()
				t.Fatalf("the client is answered: %s", response.Status)
			}
			s.awaitMetric(fmt.Sprintf(`ecrkit_proxy_requests_total{kind=%q,method=%q,status="499"} 1`, tt.kind, tt.method))
			s.stop()
			if text := log.text.String(); !strings.Contains(text, `"status":499`) || strings.Count(text, `"WARN"`) != warnings {
				t.Errorf("the log is\n%s", text)
			}
		})
	}
}

// TestPusherGone has clients go away in the middle of what they send.
func TestPusherGone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"} {
		for _, kind := range []string{kindUploads, kindManifests} {
			s := newPushSite(t)
			server := &site{Server: newServer(t, s.Handler), t: t}
			method, path := http.MethodPut, app+"/manifests/1.0"
			if kind == kindUploads {
				method, path = http.MethodPatch, s.do(http.StatusAccepted, http.MethodPost, app+"/blobs/uploads/", "").Header().Get("Location")
			}
			conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: x/y\r\n%s", method, path, body); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			server.awaitMetric(fmt.Sprintf(`ecrkit_proxy_requests_total{kind=%q,method=%q,status="499"} 1`, kind, method))
		}
	}
	// What is no body of HTTP is the fault of a client that is there.
	s := newPushSite(t)
	at := s.do(http.StatusAccepted, http.MethodPost, app+"/blobs/uploads/", "").Header().Get("Location")
	server := newServer(t, s.Handler)
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n", at); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 400 ") {
		t.Errorf("%s, %v", text, err)
	}
	(&site{Server: server, t: t}).awaitMetric(`ecrkit_proxy_requests_total{kind="uploads",method="PATCH",status="400"} 1`)
}

// TestFailureOfFetchIsLogged has a blob turn out wrong when its client has bytes of it, which sees only that the connection
// ends.
func TestFailureOfFetchIsLogged(t *testing.T) {
	t.Parallel()
	u, log := newUpstream(5<<20), &warnings{}
	u.wrong = true
	s := start(t, u, t.TempDir(), 16<<20, log.collect)
	if _, _, err := s.send(http.MethodGet, u.path(), nil); err == nil {
		t.Error("the client completes a wrong blob")
	}
	s.stop()
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, u.String()) || !strings.Contains(text, string(digest.FromBytes(u.blob))) {
		t.Errorf("the log is\n%s", text)
	}
}

// newServer serves h until the test ends.
func newServer(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}
