package localecr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Setenv sets the environment of a test for what it runs: programs and code that use an AWS SDK, the aws CLI or ecrkit
// then call the server, as the first user of the first account. Beside what [Server.Env] returns, it overrides what
// would lead them elsewhere: the session token, profile and configuration files of whoever runs the test. Parallel
// tests, whose environment is shared, use [Server.AWSConfig] and [Server.Env].
func (s *Server) Setenv(t interface {
	TB
	Setenv(name, value string)
}) {
	t.Helper()
	if s.URL == "" {
		t.Fatalf("local ECR: Setenv needs a server that listens: call Start first")
	}
	for _, entry := range append(s.Env(), isolation...) {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
}

// isolation is the environment that keeps a machine's own AWS settings out of a test. Files and profiles may hold other
// keys, FIPS endpoints exclude an endpoint by URL, and AWS_IGNORE_CONFIGURED_ENDPOINT_URLS would lead to AWS itself.
var isolation = []string{
	"AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_DEFAULT_PROFILE=", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false", "AWS_USE_FIPS_ENDPOINT=false", "AWS_USE_DUALSTACK_ENDPOINT=false",
}

// Env returns the environment of a client as NAME=VALUE: the endpoints, region and keys that AWS SDKs and the aws CLI
// read, and what ecrkit needs to know the registry by its address. The keys are those of the first user of the first
// account. It panics if the server has no URL.
func (s *Server) Env() []string {
	s.needURL("Env")
	if s.authority != nil {
		return EnvTLS(s.Registry, s.accounts(), s.tlsDir)
	}
	return Env(s.Registry, s.accounts())
}

// Env returns the environment of a client of the local ECR that listens on addr, HOST:PORT, in another process, and has
// these accounts; nil stands for [DefaultAccounts]. See [Server.Env].
func Env(addr string, accounts []Account) []string {
	if len(accounts) == 0 {
		accounts = DefaultAccounts()
	}
	return environment("http://"+addr, addr, accounts)
}

// EnvTLS is [Env] for a server with Options.TLSDir, whose directory is tlsDir. It also names the files of certificates, by
// the variables that AWS SDKs, OpenSSL, Go, Python, curl and Node.js read.
func EnvTLS(addr string, accounts []Account, tlsDir string) []string {
	if len(accounts) == 0 {
		accounts = DefaultAccounts()
	}
	return WithTLS(environment("http://"+addr, addr, accounts), tlsDir)
}

// WithTLS returns the environment of a client of a server without TLS as that of one with the directory tlsDir; see
// [EnvTLS]. Only the endpoints of services become https URLs.
func WithTLS(env []string, tlsDir string) []string {
	out := make([]string, len(env), len(env)+5)
	for i, entry := range env {
		if name, url, _ := strings.Cut(entry, "=http://"); strings.HasPrefix(entry, "AWS_ENDPOINT_URL_") {
			entry = name + "=https://" + url
		}
		out[i] = entry
	}
	bundle := filepath.Join(tlsDir, CABundleFile)
	return append(out, "AWS_CA_BUNDLE="+bundle, "SSL_CERT_FILE="+bundle, "REQUESTS_CA_BUNDLE="+bundle, "CURL_CA_BUNDLE="+bundle,
		"NODE_EXTRA_CA_CERTS="+filepath.Join(tlsDir, CAFile))
}

// environment is that of a client of a server at url, whose registry is at addr.
func environment(url, addr string, accounts []Account) []string {
	account := accounts[0]
	env := []string{
		"AWS_ENDPOINT_URL_ECR=" + url,
		"AWS_ENDPOINT_URL_KMS=" + url,
		"AWS_ENDPOINT_URL_STS=" + url,
		"AWS_REGION=" + DefaultRegion,
		"AWS_DEFAULT_REGION=" + DefaultRegion, // for boto3 and the aws CLI, which do not all read the other
		"ECRKIT_REGISTRIES=" + addr + "=" + account.ID + "." + DefaultRegion,
		"ECRKIT_REGISTRY=" + addr,
	}
	if len(account.Users) > 0 {
		env = append(env, "AWS_ACCESS_KEY_ID="+account.Users[0].AccessKeyID, "AWS_SECRET_ACCESS_KEY="+account.Users[0].SecretAccessKey)
	}
	return env
}

// AWSConfig returns the configuration of an AWS SDK client that calls the server: its URL as the endpoint of every
// service, [DefaultRegion], and the keys of the first user of the first account. Other keys and regions are set in the
// result. It reads no environment and no file. It panics if the server has no URL.
func (s *Server) AWSConfig() aws.Config {
	s.needURL("AWSConfig")
	cfg := aws.Config{Region: DefaultRegion, BaseEndpoint: aws.String(s.URL), Credentials: aws.AnonymousCredentials{}}
	if s.authority != nil {
		pool := x509.NewCertPool()
		pool.AddCert(s.authority.Certificate)
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		cfg.HTTPClient = &http.Client{Transport: transport}
	}
	if users := s.accounts()[0].Users; len(users) > 0 {
		keys := aws.Credentials{AccessKeyID: users[0].AccessKeyID, SecretAccessKey: users[0].SecretAccessKey, Source: "localecr"}
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })
	}
	return cfg
}

// Password returns an authorization token for the default registry: the password of the user AWS, as `docker login` and
// clients of /v2/ take it. It is what GetAuthorizationToken would return to the first user of the first account, and
// is good for 12 hours by the server's clock.
func (s *Server) Password() (string, error) {
	account := s.accounts()[0]
	if len(account.Users) == 0 {
		return "", fmt.Errorf("local ECR: account %s has no user", account.ID)
	}
	principal, _, err := s.identities().Resolve(account.Users[0].AccessKeyID, "")
	if err != nil {
		return "", fmt.Errorf("local ECR: %w", err)
	}
	token, _ := s.identities().IssueToken(principal, DefaultRegion, s.clock.Now())
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return "", fmt.Errorf("local ECR: %w", err)
	}
	return strings.TrimPrefix(string(text), "AWS:"), nil
}

// needURL panics if clients of the server have no URL to call.
func (s *Server) needURL(method string) {
	if s.URL == "" {
		panic("localecr: " + method + " of a server without a URL: call Start or Listen first, or set URL and Registry of a server that is used as a handler")
	}
}
