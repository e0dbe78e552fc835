package fakeaws

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestProxy(t *testing.T) {
	w := Start(t, Options{})
	w.Container.SetTasks(Task{Principal: "task/1", Path: "/1"})
	behind := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	defer behind.Close()
	if err := w.Proxy.Tunnel("example.com:443", behind.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := w.Proxy.Tunnel("down.example:443", closedAddr(t)); err != nil {
		t.Fatal(err)
	}
	via := must[*url.URL](t)(url.Parse(w.Proxy.URL))
	transport := behind.Client().Transport.(*http.Transport).Clone() // its certificate is for example.com
	transport.Proxy = http.ProxyURL(via)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	get := func(url string) string {
		response, err := client.Get(url)
		if err != nil {
			return "error"
		}
		defer response.Body.Close()
		body := must[[]byte](t)(io.ReadAll(response.Body))
		if response.StatusCode != http.StatusOK {
			return response.Status
		}
		return string(body)
	}
	if got := get("https://example.com/"); got != "example.com" {
		t.Error(got)
	}
	if got := get("https://api.ecr-fips.us-east-1.amazonaws.com/"); got != "error" {
		t.Error(got)
	}
	if got := get("https://down.example/"); got != "error" {
		t.Error(got)
	}
	for _, host := range []string{"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"} {
		if got := get("http://" + host + "/1?token=x"); !strings.Contains(got, "AccessKeyId") {
			t.Error(host, got)
		}
	}
	if got := get("http://169.254.169.254/latest?secret=x"); got != "502 Bad Gateway" {
		t.Error(got)
	}
	response := must[*http.Response](t)(http.Get(w.Proxy.URL + "/1")) // not as a proxy
	if _ = response.Body.Close(); response.StatusCode != http.StatusBadGateway {
		t.Error(response.Status)
	}
	want := []ProxyRequest{
		{"CONNECT", "example.com:443", Tunnelled},
		{"CONNECT", "api.ecr-fips.us-east-1.amazonaws.com:443", Refused},
		{"CONNECT", "down.example:443", Refused},
		{"GET", "http://169.254.170.2/1", Forwarded},
		{"GET", "http://169.254.170.23/1", Forwarded},
		{"GET", "http://[fd00:ec2::23]/1", Forwarded},
		{"GET", "http://169.254.169.254/latest", Refused},
		{"GET", "/1", Refused},
	}
	if got := w.Proxy.Log(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := w.Proxy.Connects(); len(got) != 3 || got[1] != "api.ecr-fips.us-east-1.amazonaws.com:443" {
		t.Errorf("%v", got)
	}
	if w.Proxy.Count(Forwarded) != 3 || w.Container.Count("GetCredentials") != 3 {
		t.Errorf("%v", w.Calls())
	}
	w.Proxy.Reset()
	if len(w.Proxy.Log()) != 0 || w.Proxy.Total() != 0 {
		t.Error("the log is not empty")
	}
	for _, addr := range []string{"192.0.2.1:443", "localhost:443", "127.0.0.1"} {
		if err := w.Proxy.Tunnel("x:443", addr); err == nil {
			t.Errorf("a tunnel to %s", addr)
		}
	}
}

// closedAddr is an address of the loopback interface at which nothing listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().String()
}

// TestProxyEnds closes a proxy with a tunnel that is open.
func TestProxyEnds(t *testing.T) {
	p := NewProxy()
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	var hole BlackHole
	hole.Start(t)
	if err := p.Tunnel("example.com:443", strings.TrimPrefix(hole.URL, "http://")); err != nil {
		t.Fatal(err)
	}
	conn := must[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(p.URL, "http://")))
	defer conn.Close()
	if _, err := io.WriteString(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect}); err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := tls.Client(conn, &tls.Config{ServerName: "example.com"}).HandshakeContext(t.Context()); err == nil {
		t.Error("the tunnel is still there")
	}
}
