package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestSmuggling sends requests that two servers may read in two ways.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	u := newUpstream(10)
	s := start(t, u, t.TempDir(), 1<<20)
	address := strings.TrimPrefix(s.URL, "http://")
	tests := map[string]struct {
		request string
		status  int
	}{
		"two lengths":         {"GET " + u.path() + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400},
		"unknown encoding":    {"GET " + u.path() + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x, chunked\r\n\r\n", 501},
		"two hosts":           {"GET " + u.path() + " HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400},
		"space before colon":  {"GET " + u.path() + " HTTP/1.1\r\nHost : localhost\r\n\r\n", 400},
		"host in the target":  {"GET http://evil.example" + u.path() + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 403},
		"line in the path":    {"GET /v2/registry.example/team/app/manifests/1.0%0d%0aX:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		"other host as proxy": {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 403},
		"huge header":         {"GET " + u.path() + " HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", 431},
	}
	for name, tt := range tests {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = conn.Write([]byte(tt.request)) }() // an answer may come before all is sent
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if response.StatusCode != tt.status {
			t.Errorf("%s: %s, want %d", name, response.Status, tt.status)
		}
		conn.Close()
	}
	if u.sent > 0 {
		t.Error("a blob was read")
	}
}

// crafted is an upstream that answers a tag with any bytes.
type crafted struct {
	*upstream
	content []byte
}

func (c crafted) Resolve(context.Context, string) (content.Manifest, error) {
	return content.NewManifest(c.content, "application/vnd.oci.image.manifest.v1+json"), nil
}

// TestHostileManifests has a registry send manifests that no client should get.
func TestHostileManifests(t *testing.T) {
	t.Parallel()
	u := newUpstream(10)
	valid := string(u.manifest.Content)
	for name, data := range map[string]string{
		"huge":            strings.Replace(valid, "{", `{"annotations":{"x":"`+strings.Repeat("x", content.MaxManifestSize)+`"},`, 1),
		"image and index": strings.Replace(valid, "{", `{"manifests":[],`, 1),
		"not JSON":        "<html>",
		"schema 1":        `{"schemaVersion":1,"fsLayers":[]}`,
	} {
		s := start(t, crafted{u, []byte(data)}, t.TempDir(), 64<<20)
		if r, body, _ := s.send(http.MethodGet, "/v2/registry.example/team/app/manifests/1.0", nil); r.StatusCode < 400 || len(body) > 4<<10 {
			t.Errorf("%s: %s, %d bytes", name, r.Status, len(body))
		}
		if n := stored(t, s.dir); n > 0 {
			t.Errorf("%s: %d bytes are kept", name, n)
		}
	}
}

// lines is a writer of a log that is read in parallel.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// TestLog sends credentials wherever a client may: the log, which is JSON, has none of them.
func TestLog(t *testing.T) {
	t.Parallel()
	u, log := newUpstream(10), &lines{}
	s := start(t, u, t.TempDir(), 1<<20, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	header := map[string]string{"Authorization": "Basic s3cret", "Cookie": "s3cret", "Proxy-Authorization": "s3cret", "X-Amz-Security-Token": "s3cret"}
	for _, path := range []string{u.path() + "?token=s3cret", "/v2/team/app/manifests/1.0?ns=registry.example&password=s3cret", "/v2/team/app/manifests/1.0?ns=user:s3cret@registry.example"} {
		if _, _, err := s.send(http.MethodGet, path, header); err != nil {
			t.Error(err)
		}
	}
	s.stop()
	text := log.text.String()
	if strings.Contains(text, "s3cret") {
		t.Errorf("credentials in the log:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if n := strings.Count(text, `"msg":"request"`); n != 3 {
		t.Errorf("%d requests in the log, want 3", n)
	}
}
