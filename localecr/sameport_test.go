package localecr_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestPublishedPort calls a server as a client of a container does: by another name and port than those that it listens
// on. What it is told leads back the same way.
func TestPublishedPort(t *testing.T) {
	t.Parallel()
	srv, err := localecr.New(localecr.Options{DownloadAddr: localecr.SamePort, HostNames: []string{"ecr.test"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := srv.Listen("0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	// An engine forwards the published port.
	const published = "localhost:32768"
	transport := loopback.NewTransport()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Registry)
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	cfg := srv.AWSConfig()
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String("http://"+published), client
	api := ecr.NewFromConfig(cfg)

	created, err := api.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("app")})
	if err != nil {
		t.Fatal(err)
	}
	if got := *created.Repository.RepositoryUri; got != published+"/app" {
		t.Errorf("repository URI is %s", got)
	}
	token, err := api.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := *token.AuthorizationData[0].ProxyEndpoint; got != "http://"+published {
		t.Errorf("proxy endpoint is %s", got)
	}
	if err := srv.PutImage(t.Context(), "base", "1", randomImage(t)); err != nil {
		t.Fatal(err)
	}
	image, err := api.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String("base"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1")}}})
	if err != nil || len(image.Images) != 1 {
		t.Fatalf("%+v, %v", image, err)
	}
	var m struct{ Config struct{ Digest string } }
	if err := json.Unmarshal([]byte(*image.Images[0].ImageManifest), &m); err != nil {
		t.Fatal(err)
	}
	password, err := srv.Password()
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+published+"/v2/base/blobs/"+m.Config.Digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("AWS", password)
	redirect, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer redirect.Body.Close()
	location, err := url.Parse(redirect.Header.Get("Location"))
	if err != nil || redirect.StatusCode != http.StatusTemporaryRedirect || location.Host != "127.0.0.1:32768" {
		t.Fatalf("blob: %d, %v, %v", redirect.StatusCode, location, err)
	}
	// Only where the address of downloads is that of the registry may a client send both.
	for _, c := range []struct {
		host   string
		both   bool
		status int
	}{{location.Host, false, 200}, {location.Host, true, 400}, {"ecr.test:32768", true, 200}} {
		if c.host != location.Host {
			request.Host, request.URL.Host = c.host, c.host
			again, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Body.Close()
			if location, err = url.Parse(again.Header.Get("Location")); err != nil || location.Host != c.host {
				t.Fatalf("blob: %d, %v, %v", again.StatusCode, location, err)
			}
		}
		download := &http.Request{Method: http.MethodGet, URL: location, Header: http.Header{}}
		if c.both {
			download.SetBasicAuth("AWS", password)
		}
		response, err := client.Do(download.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		if response.StatusCode != c.status || err != nil || c.status == 200 && digestOf(got) != m.Config.Digest {
			t.Errorf("download from %s, both mechanisms %v: %d, %v", c.host, c.both, response.StatusCode, err)
		}
	}
}
