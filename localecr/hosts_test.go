package localecr_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestRebinding calls a server on loopback by names that a web page may have made to lead there, on both of its
// ports: a browser takes the answers for those of the page's own site.
func TestRebinding(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{HostNames: []string{"Host.docker.internal"}})
	r.repository("app")
	config, layer := random(40), random(60)
	r.layer("app", config)
	r.layer("app", layer)
	if err := r.put("app", manifest(config, layer), nil); err != nil {
		t.Fatal(err)
	}
	redirect := r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil)
	download, err := url.Parse(redirect.header.Get("Location"))
	if err != nil || download.Host == "" {
		t.Fatalf("%d %v", redirect.status, err)
	}
	ports := map[string]string{"registry": r.srv.URL, "downloads": "http://" + download.Host}
	for _, c := range []struct {
		host     string
		answered bool
	}{
		{"127.0.0.1:4510", true},
		{"127.8.9.10", true},
		{"[::1]:4510", true},
		{"[::1]", true},
		{"192.0.2.1:4510", true}, // an address can't be made to lead elsewhere; a forwarded port keeps it
		{"0.0.0.0:4510", true},
		{"localhost:4510", true},
		{"LOCALHOST.", true},
		{"222222222222.dkr.ecr.eu-west-1.localhost:4510", true},
		{"ecr.localhost", true},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", true},
		{"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", true},
		{"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn:443", true},
		{"123456789012.dkr-ecr.us-east-1.on.aws", true},
		{"api.ecr.us-east-1.amazonaws.com", true},
		{"ecr.us-east-1.api.aws", true},
		{"host.docker.internal:4510", true},

		{"evil.example", false},
		{"evil.example:4510", false},
		{"localhost.evil.example", false},
		{"evil-localhost", false},
		{"127.0.0.1.evil.example", false},
		{"123456789012.dkr.ecr.us-east-1.evil.example", false},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example", false},
		{"evil.s3.amazonaws.com", false},
		{"docker.internal", false},
		{"evil.host.docker.internal", false},
		{"127.0.0.1@evil.example", false},
		{"localhost:4510:80", false},
		{"localhost:4510.evil.example", false},
		{"127.0.0.1:4510.evil.example", false},
		{"[::1]:x", false},
	} {
		for port, base := range ports {
			paths := []string{"/v2/", "/", download.RequestURI()}
			for _, path := range paths {
				got := r.v2("GET", base+path, nil, "Host", c.host)
				if misdirected := got.status == 421; misdirected == c.answered {
					t.Errorf("%s port, %s as %s: %d %s", port, path, c.host, got.status, got.body)
				}
				if !c.answered && (!strings.Contains(string(got.body), "loopback") || strings.Contains(string(got.body), "evil")) {
					t.Errorf("%s: the answer does not say why, or repeats the name: %s", c.host, got.body)
				}
			}
		}
	}
}

// TestEveryNameOfECRIsAnswered compares the names with those that ecrkit takes for a registry of Amazon ECR.
func TestEveryNameOfECRIsAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	for _, region := range []string{"us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"} {
		for _, suffix := range []string{"amazonaws.com", "on.aws", "amazonaws.com.cn", "on.amazonwebservices.com.cn", "amazonaws.eu", "on.amazonwebservices.eu",
			"c2s.ic.gov", "on.aws.ic.gov", "sc2s.sgov.gov", "on.aws.scloud", "cloud.adc-e.uk", "on.cloud-aws.adc-e.uk", "csp.hci.ic.gov", "on.aws.hci.ic.gov"} {
			for _, service := range []string{".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."} {
				host := "123456789012" + service + region + "." + suffix
				if _, err := auth.ParseRegistry(host, nil); err != nil {
					continue
				}
				if got := r.v2("GET", "/v2/", nil, "Host", host); got.status == 421 {
					t.Errorf("%s is a name of ECR: %s", host, got.body)
				}
			}
		}
	}
}

// TestANetworkListenerAnswersToAnyName: who listens on a network has names there that nobody can know.
func TestANetworkListenerAnswersToAnyName(t *testing.T) {
	t.Parallel()
	srv, err := localecr.New(localecr.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	for _, c := range []struct {
		local  net.Addr
		status int
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4510}, 401},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4510}, 421}, // of a listener on all interfaces too
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 4510}, 421},
		{nil, 401}, // no connection: a test with httptest.NewRecorder
	} {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("GET", "http://ecr.example/v2/", nil)
		if c.local != nil {
			req = req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, c.local))
		}
		srv.ServeHTTP(w, req)
		if w.Code != c.status {
			t.Errorf("on %v: %d %s, want %d", c.local, w.Code, w.Body, c.status)
		}
	}
}
