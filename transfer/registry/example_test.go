package registry_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/registry"
)

// The tags of a repository are listed. The registry is a server on this machine, to which
// requests go by plain HTTP; to others they go by HTTPS.
func ExampleRepository_Tags() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/{$}", func(http.ResponseWriter, *http.Request) {}) // asks for no credentials
	mux.HandleFunc("GET /v2/team/app/tags/list", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name":"team/app","tags":["latest","1.0","1.1"]}`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	host := strings.TrimPrefix(server.URL, "http://") // such as ghcr.io
	repository, err := registry.New(host, "team/app", registry.Options{})
	if err != nil {
		log.Fatal(err)
	}
	tags, err := repository.Tags(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tags)
	// Output: [1.0 1.1 latest]
}
