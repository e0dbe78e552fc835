package proxy_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

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
