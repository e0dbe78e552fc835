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

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestRefused sends what a hostile client may send.
func TestRefused(t *testing.T) {
	t.Parallel()
	u := newUpstream(10)
	s := start(t, u, t.TempDir(), 1<<20)
	blob := "/blobs/" + string(digest.FromBytes(u.blob))
	tests := map[string]struct {
		method, path, host string
		status             int
	}{
		"other host by name":     {path: "/v2/169.254.169.254/team/app" + blob, status: 403},
		"other host by ns":       {path: "/v2/team/app" + blob + "?ns=evil.example", status: 403},
		"port of allowed host":   {path: "/v2/registry.example_22/team/app" + blob, status: 403},
		"two ns":                 {path: "/v2/team/app" + blob + "?ns=registry.example&ns=evil.example", status: 400},
		"user in ns":             {path: "/v2/team/app" + blob + "?ns=registry.example@evil.example", status: 400},
		"path in ns":             {path: "/v2/team/app" + blob + "?ns=registry.example/../evil", status: 400},
		"empty ns":               {path: "/v2/team/app" + blob + "?ns=", status: 400},
		"encoded slash":          {path: "/v2/registry.example/team%2fapp" + blob, status: 404},
		"encoded dots":           {path: "/v2/registry.example/%2e%2e/app" + blob, status: 404},
		"dots":                   {path: "/v2/registry.example/../app" + blob, status: 400},
		"empty segment":          {path: "/v2/registry.example//app" + blob, status: 400},
		"not a digest":           {path: "/v2/registry.example/team/app/blobs/latest", status: 400},
		"path as digest":         {path: "/v2/registry.example/team/app/blobs/sha256:..", status: 400},
		"no repository":          {path: "/v2/registry.example/manifests/1.0", status: 400},
		"host with a dot":        {path: "/v2/evil.example./team/app" + blob, status: 403},
		"longer host by ns":      {path: "/v2/team/app" + blob + "?ns=registry.example.evil.example", status: 403},
		"shorter host by ns":     {path: "/v2/team/app" + blob + "?ns=example", status: 403},
		"address by ns":          {path: "/v2/team/app" + blob + "?ns=[::1]:5000", status: 403},
		"mapped address by ns":   {path: "/v2/team/app" + blob + "?ns=[::ffff:169.254.169.254]:80", status: 403},
		"zone by ns":             {path: "/v2/team/app" + blob + "?ns=[fe80::1%25eth0]:80", status: 400},
		"number as host by ns":   {path: "/v2/team/app" + blob + "?ns=2852039166", status: 400},
		"line in ns":             {path: "/v2/team/app" + blob + "?ns=registry.example%0d%0aX:1", status: 400},
		"zero in ns":             {path: "/v2/team/app" + blob + "?ns=registry.example%00", status: 400},
		"scheme in ns":           {path: "/v2/team/app" + blob + "?ns=http://registry.example", status: 400},
		"fullwidth dot in ns":    {path: "/v2/team/app" + blob + "?ns=registry%ef%bc%8eexample", status: 400},
		"encoded twice":          {path: "/v2/registry.example/%252e%252e/app" + blob, status: 404},
		"encoded v2":             {path: "/%762/registry.example/team/app" + blob, status: 404},
		"backslash":              {path: "/v2/registry.example/team\\app" + blob, status: 404},
		"upper case repository":  {path: "/v2/registry.example/Team/app" + blob, status: 400},
		"host twice":             {path: "/v2/registry.example/registry.example/team/app" + blob, status: 404},
		"upper case digest":      {path: "/v2/registry.example/team/app/blobs/" + strings.ToUpper(string(digest.FromBytes(u.blob))), status: 400},
		"sha512":                 {path: "/v2/registry.example/team/app/blobs/" + string(digest.SHA512.FromBytes(u.blob)), status: 400},
		"manifest by sha512":     {path: "/v2/registry.example/team/app/manifests/" + string(digest.SHA512.FromBytes(u.blob)), status: 400},
		"unknown algorithm":      {path: "/v2/registry.example/team/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", status: 400},
		"catalog":                {path: "/v2/_catalog", status: 404},
		"another path":           {path: "/etc/passwd", status: 404},
		"missing tag":            {path: "/v2/registry.example/team/app/manifests/9", status: 404},
		"missing repository":     {path: "/v2/registry.example/team/other/manifests/9", status: 404},
		"push":                   {method: http.MethodPost, path: "/v2/registry.example/team/app/blobs/uploads/", status: 405},
		"page with another name": {path: "/v2/registry.example/team/app" + blob, host: "rebound.example", status: 403},
	}
	for name, tt := range tests {
		header := map[string]string{}
		if tt.host != "" {
			header["Host"] = tt.host
		}
		if tt.method == "" {
			tt.method = http.MethodGet
		}
		r, body, err := s.send(tt.method, tt.path, header)
		var refusal struct {
			Errors []struct{ Code, Message string }
		}
		if err != nil || r.StatusCode != tt.status || json.Unmarshal(body, &refusal) != nil || len(refusal.Errors) != 1 || refusal.Errors[0].Code == "" {
			t.Errorf("%s: %s, want %d: %s", name, r.Status, tt.status, body)
		}
	}
	if u.sent > 0 {
		t.Error("a blob was read")
	}
}

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

// TestPages refuses what a page in a browser embeds: its reader is on this machine.
func TestPages(t *testing.T) {
	t.Parallel()
	u := newUpstream(10)
	s := start(t, u, t.TempDir(), 1<<20)
	for site, status := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200, "": 200} {
		for _, path := range []string{u.path(), "/metrics", "/v2/registry.example/team/app/manifests/1.0"} {
			r, _, err := s.send(http.MethodGet, path, map[string]string{"Sec-Fetch-Site": site})
			if err != nil || r.StatusCode != status || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s from %q: %s %v, want %d", path, site, r.Status, r.Header, status)
			}
		}
	}
}

// TestMetricNames sends paths that are none of the API: metrics do not grow by what strangers write.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	s := start(t, newUpstream(10), t.TempDir(), 1<<20)
	for _, path := range []string{"/v2/registry.example/team/app/stranger1/1.0", "/v2/registry.example/stranger2/1.0", "/v2/stranger3/", "/stranger4/v2/a/b/c"} {
		s.want(path, http.StatusNotFound, "")
	}
	if r, body, err := s.send("STRANGER5", "/v2/", nil); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%s %s %v", r.Status, body, err)
	}
	r, body, err := s.send(http.MethodGet, "/metrics", nil)
	if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(body), `ecrkit_proxy_requests_total{kind="",method="GET",status="404"} 4`) ||
		strings.Contains(strings.ToLower(string(body)), "stranger") {
		t.Errorf("%s %v:\n%s", r.Status, err, body)
	}
}

// TestRanges asks for ranges in ways that no engine does.
func TestRanges(t *testing.T) {
	t.Parallel()
	const size = 100 << 10
	many := "bytes=" + strings.Repeat("0-0,", 1000) + "1-1"
	for name, tt := range map[string]struct {
		header map[string]string
		status int
		length int
	}{
		"several":         {map[string]string{"Range": "bytes=0-9,20-29"}, 200, size},
		"a thousand":      {map[string]string{"Range": many}, 200, size},
		"overlapping":     {map[string]string{"Range": "bytes=0-,0-,0-"}, 200, size},
		"beyond 64 bits":  {map[string]string{"Range": "bytes=18446744073709551616-"}, 416, -1},
		"last overflows":  {map[string]string{"Range": "bytes=0-18446744073709551616"}, 416, -1},
		"to the end":      {map[string]string{"Range": "bytes=10-9223372036854775807"}, 206, size - 10},
		"last bytes":      {map[string]string{"Range": "bytes=-10"}, 206, 10},
		"more than all":   {map[string]string{"Range": "bytes=-9223372036854775807"}, 206, size},
		"no last bytes":   {map[string]string{"Range": "bytes=-0"}, 206, 0},
		"backwards":       {map[string]string{"Range": "bytes=10-5"}, 416, -1},
		"minus":           {map[string]string{"Range": "bytes=--5"}, 416, -1},
		"another unit":    {map[string]string{"Range": "lines=0-5"}, 416, -1},
		"other content":   {map[string]string{"Range": "bytes=0-9", "If-Range": `"sha256:other"`}, 200, size},
		"any but that":    {map[string]string{"If-None-Match": "*"}, 304, 0},
		"only other ones": {map[string]string{"If-Match": `"sha256:other"`}, 412, 0},
	} {
		for _, cached := range []bool{false, true} {
			u := newUpstream(size)
			s := start(t, u, t.TempDir(), 16<<20)
			if cached {
				s.want(u.path(), http.StatusOK, "")
			}
			r, body, err := s.send(http.MethodGet, u.path(), tt.header)
			if err != nil || r.StatusCode != tt.status || tt.length >= 0 && len(body) != tt.length {
				t.Errorf("%s, cached %t: %s, %d bytes, %v; want %d, %d bytes", name, cached, r.Status, len(body), err, tt.status, tt.length)
			}
			s.stop()
		}
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
	for _, path := range []string{u.path() + "?token=s3cret", u.path() + "?ns=user:s3cret@registry.example", "/v2/team/app/manifests/1.0?ns=registry.example&password=s3cret", "/v2/team/app/manifests/1.0?ns=user:s3cret@registry.example"} {
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
	if n := strings.Count(text, `"msg":"request"`); n != 4 {
		t.Errorf("%d requests in the log, want 4", n)
	}
}
