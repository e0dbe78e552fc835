package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestHeadReason asks by HEAD, as containerd does before it pulls, for what is refused. The status
// line has the reason, and nothing else is different from GET.
func TestHeadReason(t *testing.T) {
	t.Parallel()
	g := newGallery()
	by := &guard{id: "1"}
	s := start(t, g, t.TempDir(), 1<<20, func(o *Options) { o.Demand = by.demand })
	for path, want := range map[string]string{
		g.manifestPath("other"):                  "403 Forbidden: registry.example/team/app@" + string(g.other.Descriptor.Digest) + ": refused by the policy: it is not signed",
		g.path():                                 "403 Forbidden: blob sha256:",
		g.manifestPath("missing"):                "404 Not Found",
		"/v2/other.example/app/manifests/latest": "403 Forbidden: the proxy does not read from other.example",
		"/v2/app/manifests/latest?ns=a&ns=b":     "400 Bad Request: the query names more than one registry",
	} {
		r, body, err := s.send(http.MethodHead, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(r.Status, want) || len(body) > 0 || r.Header.Get("Docker-Content-Digest") != "" {
			t.Errorf("HEAD %s: %q, want %q", path, r.Status, want)
		}
		get, _, err := s.send(http.MethodGet, path, nil)
		if err != nil || get.StatusCode != r.StatusCode || get.Header.Get("Content-Type") != r.Header.Get("Content-Type") {
			t.Errorf("GET %s: %v %v, HEAD: %v %v", path, get.StatusCode, get.Header, r.StatusCode, r.Header)
		}
	}
	by.mu.Lock()
	by.down = fmt.Errorf("the signatures cannot be read")
	by.mu.Unlock()
	for _, method := range []string{http.MethodHead, http.MethodGet} { // docker prints no body of a 5xx
		r, body, err := s.send(method, g.manifestPath("index"), nil)
		if err != nil || !strings.HasPrefix(r.Status, "503 Service Unavailable: ") || !strings.HasSuffix(r.Status, "the signatures cannot be read") {
			t.Errorf("signatures out of reach: %q, %v", r.Status, err)
		}
		if (method == http.MethodGet) != strings.Contains(string(body), "the signatures cannot be read") {
			t.Errorf("%s: the body is %q", method, body)
		}
	}
	s.awaitMetric(`ecrkit_proxy_requests_total{kind="manifests",method="HEAD",status="503"} 1`)
}

// TestHeadReasonIsOneLine has an error with the bytes of another header, and a long one.
func TestHeadReasonIsOneLine(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"a\r\nDocker-Content-Digest: sha256:0\r\n\r\nb", "ü\x00\x7f\u2028", strings.Repeat("long ", 100_000)} {
		s := start(t, newUpstream(1), t.TempDir(), 1<<20, func(o *Options) {
			o.Open = func(context.Context, string, string) (content.Source, error) { return nil, fmt.Errorf("%s", message) }
		})
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HEAD /v2/registry.example/team/app/manifests/1.0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		lines := bufio.NewScanner(conn)
		var all []string
		for lines.Scan() {
			all = append(all, lines.Text())
		}
		if lines.Err() != nil || len(all) < 3 || !strings.HasPrefix(all[0], "HTTP/1.1 502 Bad Gateway: ") || len(all[0]) > 1100 {
			t.Fatalf("%v: %.300q", lines.Err(), all)
		}
		for _, c := range []byte(all[0]) {
			if c < ' ' || c > '~' {
				t.Errorf("the status line has the byte %#x", c)
			}
		}
		for _, line := range all[1:] {
			if strings.HasPrefix(line, "Docker-Content-Digest:") {
				t.Errorf("a header by the message: %q", line)
			}
		}
	}
}

// TestPushReason has a registry that fails while an image is pushed.
func TestPushReason(t *testing.T) {
	t.Parallel()
	s := newPushSite(t)
	s.before = func(string, content.Manifest) error { return errors.New("the key cannot be used") }
	server := httptest.NewServer(s)
	defer server.Close()
	manifest := `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"x/y","digest":"` + string(digest.FromString("hello")) + `","size":5},"layers":[]}`
	s.do(http.StatusCreated, "POST", app+"/blobs/uploads/?digest="+string(digest.FromString("hello")), "hello")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+app+"/manifests/1.0", strings.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", imageType)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Status, "503 Service Unavailable: ") || !strings.HasSuffix(response.Status, "the key cannot be used") {
		t.Errorf("the status is %q", response.Status)
	}
}
