package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// The proxy of a registry. Credentials are those of the AWS SDK and of docker's configuration.
func Example() {
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cache, err := proxy.OpenCache(dir, 1<<30)
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	handler := proxy.New(cache, proxy.Options{
		Allowed: func(host string) bool { return host == "123456789012.dkr.ecr.us-east-1.amazonaws.com" },
		Open: func(ctx context.Context, host, repository string) (content.Source, error) {
			return ref.Open(ctx, host+"/"+repository)
		},
	})
	defer handler.Close()
	server := httptest.NewServer(handler)
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/v2/ghcr.io/team/app/manifests/1.0")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 403 Forbidden
}

// The proxy is a part of a server that has other pages too.
func ExampleHandler() {
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cache, err := proxy.OpenCache(filepath.Join(dir, "cache"), 1<<30)
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	_, err = proxy.OpenCache(filepath.Join(dir, "cache"), 1<<30)
	fmt.Println("in use:", errors.Is(err, proxy.ErrInUse))

	handler := proxy.New(cache, proxy.Options{})
	defer handler.Close()
	mux := http.NewServeMux()
	mux.Handle("/v2/", handler)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "cache_bytes %d\n", handler.Status().Cache.Bytes)
	})
	server := httptest.NewServer(mux) // http.Server, in a program
	defer server.Close()
	for _, path := range []string{"/v2/", "/v2/ghcr.io/team/app/manifests/1.0", "/metrics"} {
		response, err := server.Client().Get(server.URL + path)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		fmt.Println(path, response.StatusCode)
	}
	// Output:
	// in use: true
	// /v2/ 200
	// /v2/ghcr.io/team/app/manifests/1.0 403
	// /metrics 200
}
