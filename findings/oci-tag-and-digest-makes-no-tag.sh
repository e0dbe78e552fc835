#!/usr/bin/env bash
# Copying an image to "app:2@sha256:…" with crane, oras-go or regclient succeeds and makes no tag "2".
#
# Guess:   "crane copy HOST/app:1 HOST/app:2@sha256:…" makes the tag 2 and checks the digest, or is refused, as Skopeo
#          does ("references with both a tag and digest are currently not supported").
# Because: such names are what deployment files, Renovate and "docker buildx imagetools inspect" have, so one is soon
#          copied into a release script; both parts are written, and one that is not used would be an error.
# Really:  the tag is dropped by all three parsers' users on the way: the manifest is pushed by its digest, without a
#          message. The image is then an untagged one, which a lifecycle rule for untagged images deletes. Where the name
#          is a source, the tag is not looked at either: it may not exist.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1 (its crane command), oras-go v2.7.0, regclient v0.11.7
# Output:  crane: <nil>, digest there: true, tags: []
#          oras-go: <nil>, digest there: true, tags: []
#          regclient: <nil>, digest there: true, tags: []
#          crane, from a tag that does not exist: <nil>
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
	github.com/regclient/regclient v0.11.7
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
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/ref"
	"oras.land/oras-go/v2"
	orasremote "oras.land/oras-go/v2/registry/remote"
)

var host, digest string

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

func run(args ...string) error {
	command := cmd.New("crane", "copy images", nil)
	command.SetArgs(args)
	return command.Execute()
}

func repository(name string) *orasremote.Repository {
	repository := must(orasremote.NewRepository(host + "/" + name))
	repository.PlainHTTP = true
	return repository
}

// state says what a repository has after a copy.
func state(name string, err error) string {
	_, missing := crane.Manifest(host + "/" + name + "@" + digest)
	return fmt.Sprintf("%v, digest there: %v, tags: %v", err, missing == nil, must(crane.ListTags(host+"/"+name)))
}

func main() {
	ctx := context.Background()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host = strings.TrimPrefix(server.URL, "http://")
	image := must(random.Image(100, 1))
	digest = must(image.Digest()).String()
	must(0, crane.Push(image, host+"/app:1"))

	expected := "<nil>, digest there: true, tags: []"
	want("crane", state("crane", run("copy", host+"/app:1", host+"/crane:2@"+digest)), expected)
	_, err := oras.Copy(ctx, repository("app"), "1", repository("oras"), host+"/oras:2@"+digest, oras.DefaultCopyOptions)
	want("oras-go", state("oras", err), expected)
	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
	err = client.ImageCopy(ctx, must(ref.New(host+"/app:1")), must(ref.New(host+"/regclient:2@"+digest)))
	want("regclient", state("regclient", err), expected)
	want("crane, from a tag that does not exist", run("copy", host+"/app:none@"+digest, host+"/copy:1"), "<nil>")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding 2> err || { cat err; exit 1; }
