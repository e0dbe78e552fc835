#!/usr/bin/env bash
# oras-go sends a DELETE when it pushes the second signature of an image to a registry without the referrers API.
#
# Guess:   pushing a manifest needs permission to push. Nothing is deleted.
# Because: distribution-spec, "Pushing Manifests with Subject", has the client pull the list tagged sha256-HEX, append
#          its descriptor, and push the list again. It mentions no deletion.
# Really:  after it moved the tag, oras-go deletes the old list by digest. Where deletion is refused, the push of a
#          signature that did arrive ends with an error. The first signature works, all further ones fail.
#          SkipReferrersGC turns it off.
# Seen:    2026-11-28, Go 1.26.8, oras-go v2.7.0, go-containerregistry's registry v0.22.1 as the server
# Output:  first signature: <nil>, DELETE requests: 0
#          second signature where DELETE is refused: error, DELETE requests: 1
#          second signature is stored: true
#          third signature with SkipReferrersGC: <nil>, DELETE requests: 0
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/opencontainers/image-spec v1.1.1
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry/remote"
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
	ctx := context.Background()
	deletes := 0
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletes++
			w.WriteHeader(http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	repository := must(remote.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/app"))
	repository.PlainHTTP = true
	image := must(oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "application/vnd.example", oras.PackManifestOptions{}))

	push := func(note string) string {
		deletes = 0
		_, err := oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "application/vnd.example.signature",
			oras.PackManifestOptions{Subject: &image, ManifestAnnotations: map[string]string{"note": note}})
		outcome := "<nil>"
		if err != nil {
			outcome = "error"
		}
		return fmt.Sprintf("%s, DELETE requests: %d", outcome, deletes)
	}
	stored := func(note string) bool {
		found := false
		must(0, repository.Referrers(ctx, image, "", func(all []specs.Descriptor) error {
			for _, one := range all {
				found = found || one.Annotations["note"] == note
			}
			return nil
		}))
		return found
	}
	want("first signature", push("1"), "<nil>, DELETE requests: 0")
	want("second signature where DELETE is refused", push("2"), "error, DELETE requests: 1")
	want("second signature is stored", stored("2"), true)
	repository.SkipReferrersGC = true
	want("third signature with SkipReferrersGC", push("3"), "<nil>, DELETE requests: 0")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
