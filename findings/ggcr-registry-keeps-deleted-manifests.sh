#!/usr/bin/env bash
# The registry of go-containerregistry, which tests of many Go programs use, lets a tag live on after its manifest was
# deleted, and takes images whose layers nobody pushed.
#
# Guess:   after DELETE of a manifest by digest, its tags are gone. A manifest whose config and layers are missing is
#          refused with MANIFEST_BLOB_UNKNOWN.
# Because: the distribution spec says that after a deletion by digest each tag that pointed to it answers 404, and
#          has a code for manifests with unknown blobs. ECR and Docker's registry do both.
# Really:  tag and digest are separate entries of one map. The deletion removes the digest alone: the tag is listed
#          and answers with the manifest whose digest is 404. Blobs of a manifest are not looked for. So a test of
#          deletions, or of an upload that forgets a layer, passes here for the wrong reason.
# Seen:    2026-11-29, Go 1.26.8, go-containerregistry v0.22.1 ("crane registry serve" is the same code)
# Output:  DELETE by digest: 202
#          GET by digest: 404
#          GET by tag: 200
#          digest that the tag answers with: the deleted one
#          tags: [1]
#          PUT of the manifest where no blob was pushed: 201
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require github.com/google/go-containerregistry v0.22.1
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	discard := log.New(io.Discard, "", 0)
	image := must(random.Image(64, 1))
	mediaType := string(must(image.MediaType()))
	digest := must(image.Digest()).String()
	call := func(method, url string, body []byte) *http.Response {
		request := must(http.NewRequest(method, url, bytes.NewReader(body)))
		request.Header.Set("Accept", mediaType)
		if body != nil {
			request.Header.Set("Content-Type", mediaType)
		}
		response := must(http.DefaultClient.Do(request))
		response.Body.Close()
		return response
	}

	server := httptest.NewServer(registry.New(registry.Logger(discard)))
	defer server.Close()
	repository := must(name.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/app"))
	if err := remote.Write(repository.Tag("1"), image); err != nil {
		panic(err)
	}
	manifests := server.URL + "/v2/app/manifests/"
	want("DELETE by digest", call(http.MethodDelete, manifests+digest, nil).StatusCode, 202)
	want("GET by digest", call(http.MethodGet, manifests+digest, nil).StatusCode, 404)
	byTag := call(http.MethodGet, manifests+"1", nil)
	want("GET by tag", byTag.StatusCode, 200)
	answered := "another"
	if byTag.Header.Get("Docker-Content-Digest") == digest {
		answered = "the deleted one"
	}
	want("digest that the tag answers with", answered, "the deleted one")
	want("tags", must(remote.List(repository)), "[1]")

	second := httptest.NewServer(registry.New(registry.Logger(discard)))
	defer second.Close()
	want("PUT of the manifest where no blob was pushed",
		call(http.MethodPut, second.URL+"/v2/app/manifests/1", must(image.RawManifest())).StatusCode, 201)
}
EOF
go mod tidy 2> /dev/null
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
