package loopback

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestIs(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "a.localhost": true, "a.b.Localhost.:4510": true, "127.0.0.1": true, "127.1.2.3:80": true,
		"::1": true, "[::1]": true, "[::1]:80": true, "::ffff:127.0.0.1": true, "[::ffff:127.0.0.1]:80": true,
		"": false, ":80": false, "notlocalhost": false, "localhost.example.com": false, "127.0.0.1.example.com": false,
		"128.0.0.1": false, "10.0.0.1:80": false, "[::2]:80": false, "0.0.0.0": false, "::": false, "localhost@example.com": false,
		"localhost:80.example.com": false, "127.0.0.1:80.example.com": false, "[::1]:x": false, "localhost:": true,
	} {
		if got := Is(host); got != want {
			t.Errorf("Is(%q) = %t", host, got)
		}
	}
}

// A request to this machine takes no proxy and asks no resolver.
func TestKeep(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	proxied := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied++ }))
	defer proxy.Close()
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := NewTransport()
	transport.Proxy = http.ProxyURL(proxyURL)
	Keep(transport)
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	port := strings.TrimPrefix(server.URL, "http://127.0.0.1")
	for _, host := range []string{"127.0.0.1", "localhost", "000000000000.dkr.ecr.us-east-1.localhost", "a.LOCALHOST", "[::ffff:127.0.0.1]"} {
		response, err := client.Get("http://" + host + port)
		if err != nil {
			t.Error(err)
			continue
		}
		response.Body.Close()
	}
	if proxied != 0 {
		t.Errorf("%d requests to this machine went to the proxy", proxied)
	}
	response, err := client.Get("http://registry.example.com")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if proxied != 1 {
		t.Error("a request to another machine did not go to the proxy")
	}
}

// Requests for credentials of this machine take no proxy either.
func TestMetadataTakesNoProxy(t *testing.T) {
	for host, want := range map[string]bool{
		"169.254.169.254": true, "169.254.170.2:80": true, "169.254.170.23": true, "[fd00:ec2::254]": true, "[fd00:ec2::23]:80": true,
		"[fe80::1%25eth0]": true, "[::ffff:169.254.170.2]": true, "169.253.0.1": false, "fd00:ec3::1": false, "169.254.169.254.example.com": false, "": false,
	} {
		asked := false
		transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			asked = true
			return nil, nil
		}, DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }}
		Keep(transport)
		if _, err := transport.Proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: host}}); err != nil || asked == want {
			t.Errorf("%s: asked for a proxy: %t", host, asked)
		}
	}
}

func TestDialsLoopbackOnly(t *testing.T) {
	var dialed []string
	refused := errors.New("refused")
	transport := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		return nil, refused
	}}
	Keep(transport)
	for address, want := range map[string][]string{
		"x.localhost:80":          {"127.0.0.1:80", "[::1]:80"},
		"localhost:443":           {"127.0.0.1:443", "[::1]:443"},
		"registry.example.com:80": {"registry.example.com:80"},
		"127.0.0.2:80":            {"127.0.0.2:80"},
	} {
		dialed = nil
		if _, err := transport.DialContext(t.Context(), "tcp", address); !errors.Is(err, refused) || !slices.Equal(dialed, want) {
			t.Errorf("%s: dialed %q, %v", address, dialed, err)
		}
	}
}
