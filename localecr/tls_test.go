package localecr_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	randomimage "github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrkit/ecrkit/localecr"
)

// caller makes requests to a server with TLS by any name.
func caller(t *testing.T, srv *localecr.Server, dir string) *http.Client {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, localecr.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatal("no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	transport.DialContext = (&net.Dialer{}).DialContext
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, err := localecr.New(localecr.Options{TLSDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	image, err := randomimage.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.PutImage(t.Context(), "app", "1.0", image); err != nil {
		t.Fatal(err)
	}
	client, port := caller(t, srv, dir), srv.Registry[strings.LastIndex(srv.Registry, ":"):]
	for _, host := range []string{"https://127.0.0.1", "https://localhost", "http://127.0.0.1", "http://localhost"} {
		resp, err := client.Get(host + port + "/_ecrkit/health")
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
	}
	// A registry of another account by its name, whatever resolves it.
	direct := client.Transport.(*http.Transport).Clone()
	direct.TLSClientConfig.ServerName = "222222222222.dkr.ecr.eu-west-1.localhost"
	conn, err := tls.Dial("tcp", srv.Registry, direct.TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()

	// The AWS API, and downloads by the URLs in its answers.
	api := ecr.NewFromConfig(srv.AWSConfig())
	out, err := api.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	if err != nil || len(out.Repositories) != 1 {
		t.Fatal(out, err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	url, err := api.GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: ptr("app"), LayerDigest: ptr(digest.String())})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(*url.DownloadUrl, "https://localhost:") {
		t.Errorf("download URL %s", *url.DownloadUrl)
	}
	resp, err := client.Get(*url.DownloadUrl)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("download: %d", resp.StatusCode)
	}
	if info, err := os.Stat(filepath.Join(dir, "ca.key")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("key: %v, %v", info.Mode(), err)
	}
}

// The authority stays that of the directory, and what is no authority is refused.
func TestTLSAuthorityStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() (*localecr.Server, error) { return localecr.New(localecr.Options{TLSDir: dir}) }
	first, err := start()
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, localecr.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := start()
	if err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, localecr.CAFile))
	if string(before) != string(after) {
		t.Error("another authority")
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, localecr.CAFile), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := start(); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a wrong file: %v", err)
	}
}

// A client that sends nothing does not keep others, or the end, waiting.
func TestTLSSilentConnection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, err := localecr.New(localecr.Options{TLSDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	silent, err := net.Dial("tcp", srv.Registry)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	resp, err := caller(t, srv, dir).Get(srv.URL + "/_ecrkit/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// AWS_ENDPOINT_URL alone leads ECR, KMS and STS of an SDK to the server, with and without TLS.
func TestEndpointURLAlone(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		srv, err := localecr.New(localecr.Options{TLSDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start(t)
		srv.Setenv(t)
		for _, service := range []string{"ECR", "KMS", "STS"} {
			t.Setenv("AWS_ENDPOINT_URL_"+service, "")
		}
		t.Setenv("AWS_ENDPOINT_URL", srv.URL)
		cfg, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ecr.NewFromConfig(cfg).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
			t.Error(err)
		}
		if _, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: ptr("alias/release")}); err != nil {
			t.Error(err)
		}
		if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
			t.Error(err)
		}
	}
}
