package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const (
	testHost   = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	testAPI    = "api.ecr.us-east-1.amazonaws.com"
	testBucket = "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com"
)

// answers is a network: what each host does. Hosts that are not named answer 401.
type answers map[string]func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if answer := a[r.URL.Host]; answer != nil {
		return answer(r)
	}
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader("")),
		Request: r, TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Issuer: pkix.Name{Organization: []string{"Amazon"}, CommonName: "Amazon RSA 2048 M01"}}}}}, nil
}

func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// newTestSession is about an image in Amazon ECR, over a network of the test's own.
func newTestSession(t *testing.T, network answers, addresses map[string]string, variables ...string) *Session {
	t.Helper()
	env := startup.EnvironmentOf(append(variables, "HOME="+t.TempDir(), "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=x"))
	r, err := auth.ParseRegistry(testHost, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Env: env, Now: time.Now, Tokens: &auth.Tokens{Minter: auth.Minter{AWS: auth.AWS{Env: auth.Environment(env)}}},
		Transport: func(*http.Transport) http.RoundTripper { return network },
		LookupHost: func(_ context.Context, host string) ([]string, error) {
			if address, ok := addresses[host]; ok && address == "" {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			} else if ok && net.ParseIP(address) == nil {
				return nil, &net.DNSError{Err: address, Name: host, IsTimeout: true}
			} else if ok {
				return []string{address}, nil
			}
			return []string{"54.0.0.1"}, nil
		},
		LookPath: func(string) (string, error) { return "", errors.ErrUnsupported },
		Suggest: func(missing string, _ []string, _, _, _ string) string {
			return "did you mean something like " + missing + "?"
		},
		Free:    func(string) (Space, error) { return Space{Bytes: 100 << 30}, nil },
		Purpose: "pull",
	}, Subject{Host: testHost, Registry: r, Reference: ref.Reference{Kind: ref.KindECR, Registry: r, Repository: "app", Tag: "1.0"}})
}

// expect runs checks and compares the finding of the last.
func expect(t *testing.T, s *Session, status Status, found, advice string, checks ...Check) {
	t.Helper()
	var f Finding
	for _, c := range checks {
		f = c.Run(t.Context(), s)
	}
	if f.Status != status || !strings.Contains(f.Found, found) || !strings.Contains(strings.Join(f.Advice, "\n"), advice) {
		t.Errorf("%+v, want %s, %q, %q", f, status, found, advice)
	}
}

// unreachable is a connection that a firewall drops.
var unreachable = &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		network       answers
		addresses     map[string]string
		status        Status
		found, advice string
	}{
		"healthy":           {nil, nil, OK, testAPI + ", " + testHost, ""},
		"no such host":      {nil, map[string]string{testHost: ""}, Failed, "the registry, " + testHost + ", can't be reached: no such host", "Check the account and the region"},
		"name server":       {nil, map[string]string{testAPI: "i/o timeout"}, Failed, "the name server does not answer (i/o timeout)", "nslookup"},
		"firewall":          {answers{testHost: fails(unreachable)}, nil, Failed, "no answer in time", "NAT gateway"},
		"cut":               {answers{testAPI: fails(io.EOF)}, nil, Failed, "the ECR API, " + testAPI + ", can't be reached: the connection was cut", "port 443"},
		"plain HTTP":        {answers{testHost: fails(http.ErrSchemeMismatch)}, nil, Failed, testHost, "plain HTTP"},
		"proxy refuses":     {answers{testAPI: fails(errors.New("Proxy Authentication Required"))}, nil, Failed, "Proxy Authentication Required", "HTTPS_PROXY"},
		"VPC endpoints":     {nil, map[string]string{testAPI: "10.0.0.5", testHost: "10.0.0.6"}, OK, "by private addresses", ""},
		"only one endpoint": {nil, map[string]string{testHost: "10.0.0.6"}, Warning, testHost + " has private addresses", "ecr.api and ecr.dkr"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newTestSession(t, tt.network, tt.addresses), tt.status, tt.found, tt.advice, network{})
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	issued := func(by string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			response, err := answers{}.RoundTrip(r)
			response.TLS.PeerCertificates[0].Issuer = pkix.Name{Organization: []string{by}}
			return response, err
		}
	}
	refused := func(err error) func(*http.Request) (*http.Response, error) {
		return fails(&tls.CertificateVerificationError{Err: err})
	}
	cert := &x509.Certificate{Issuer: pkix.Name{Organization: []string{"Proxy Inc."}}}
	for name, tt := range map[string]struct {
		network       answers
		status        Status
		found, advice string
	}{
		"healthy":      {nil, OK, "valid", ""},
		"trusted":      {answers{testHost: issued("Proxy Inc.")}, Warning, `is by "Proxy Inc.`, "/etc/docker/certs.d/" + testHost},
		"unknown CA":   {answers{testAPI: refused(x509.UnknownAuthorityError{Cert: cert})}, Failed, "Proxy Inc.", "AWS_CA_BUNDLE"},
		"another host": {answers{testHost: refused(x509.HostnameError{Certificate: cert, Host: testHost})}, Failed, "not for " + testHost, "DNS"},
		"expired":      {answers{testHost: refused(x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired})}, Failed, "has expired", "clock"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newTestSession(t, tt.network, nil), tt.status, tt.found, tt.advice, network{}, certificates{})
		})
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	at := listener.Addr().String()
	proxied := "HTTPS_PROXY=http://user:password@" + at
	for name, tt := range map[string]struct {
		env           []string
		status        Status
		found, advice string
	}{
		"none":            {nil, OK, "none", ""},
		"all":             {[]string{proxied}, OK, "all hosts through " + at, ""},
		"lower case":      {[]string{"https_proxy=http://" + at}, OK, "all hosts through " + at, ""},
		"none of these":   {[]string{proxied, "NO_PROXY=.amazonaws.com"}, OK, "not used", ""},
		"not for S3":      {[]string{proxied, "NO_PROXY=" + testAPI + ",.dkr.ecr.us-east-1.amazonaws.com"}, Warning, "NO_PROXY has " + testAPI + ", " + testHost + ", and not " + testBucket, "the same way"},
		"only for S3":     {[]string{proxied, "NO_PROXY=.s3.us-east-1.amazonaws.com"}, Warning, "NO_PROXY has " + testBucket, ""},
		"not a URL":       {[]string{"HTTPS_PROXY=:x:"}, Failed, "not a URL", "http://HOST:PORT"},
		"without answer":  {[]string{"HTTPS_PROXY=http://127.0.0.1:1"}, Failed, "127.0.0.1:1 can't be reached: connection refused", "NO_PROXY"},
		"metadata by it":  {[]string{proxied, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, Warning, "NO_PROXY lacks 169.254.169.254", "NO_PROXY"},
		"different cases": {[]string{proxied, "https_proxy=http://127.0.0.1:2"}, Warning, "differ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSession(t, nil, nil, tt.env...)
			expect(t, s, tt.status, tt.found, tt.advice, proxy{})
			if f := (proxy{}).Run(t.Context(), s); strings.Contains(f.Found, "password") {
				t.Errorf("%+v has the password of the proxy", f)
			}
		})
	}
}

// A gateway endpoint that is blocked: all but Amazon S3 answers.
func TestLayersWithoutS3(t *testing.T) {
	t.Parallel()
	s := newTestSession(t, answers{testBucket: fails(unreachable)}, nil)
	expect(t, s, OK, "", "", network{})
	expect(t, s, Failed, "Amazon S3, where layers are, can't be reached: "+testBucket, "S3 gateway endpoint", layers{})
	expect(t, newTestSession(t, nil, nil), OK, testBucket+" answers", "", layers{})
}

func TestDisk(t *testing.T) {
	t.Parallel()
	full := func(dir string, space Space) func(string) (Space, error) {
		return func(at string) (Space, error) {
			if at == dir {
				return space, nil
			}
			return Space{Bytes: 100 << 30}, nil
		}
	}
	for name, tt := range map[string]struct {
		space         Space
		image         int64
		status        Status
		found, advice string
	}{
		"enough":   {Space{Bytes: 10 << 30}, 1 << 20, OK, "at least 10 GiB free", ""},
		"full":     {Space{Bytes: 1 << 20}, 0, Failed, "filesystem layer verification failed", "docker image prune"},
		"too full": {Space{Bytes: 4 << 30}, 5 << 30, Failed, "has 4.0 GiB free", "docker image prune"},
		"low":      {Space{Bytes: 4 << 30}, 3 << 30, Warning, "has 4.0 GiB free", "docker image prune"},
		"inodes":   {Space{Bytes: 10 << 30, Full: true}, 0, Failed, "no inode free", "docker image prune"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSession(t, nil, nil)
			root := t.TempDir()
			s.Free, s.TempDir, s.CacheDir = full(root, tt.space), t.TempDir(), t.TempDir()
			s.facts.engine, s.facts.image = Engine{Version: "29", RootDir: root}, &imageFacts{size: tt.image}
			expect(t, s, tt.status, tt.found, tt.advice, disk{})
		})
	}
	s := newTestSession(t, nil, nil)
	s.NoCache = "ECRKIT_CACHE=off"
	expect(t, s, Warning, "there is no token cache", "", disk{})
}

func TestTooOld(t *testing.T) {
	for version, want := range map[string]bool{"1.9.1": true, "1.10.0": false, "1.13.1": false, "17.03.0-ce": false, "29.1.0": false, "dev": false, "": false} {
		if got := tooOld(version); got != want {
			t.Errorf("%s: %v, want %v", version, got, want)
		}
	}
}
