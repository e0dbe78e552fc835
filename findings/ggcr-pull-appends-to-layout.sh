#!/usr/bin/env bash
# "crane pull --format oci" into the same directory again adds a second entry for the same image, and "crane push"
# then refuses the layout.
#
# Guess:   pulling app:1 into a directory that has app:1 changes nothing, or replaces what is there. Where nothing has
#          changed since, the directory still has one image.
# Because: blobs in a layout are found by their digest, the other formats of crane pull overwrite their file, and
#          skopeo, regctl and oras replace the entry of a name that they write again.
# Really:  each pull appends its entry to index.json, even an identical one, without a name. A CI job with a cached
#          directory works once. Then "crane push" wants --index and with it pushes an index of two equal entries,
#          with another digest, and Skopeo sees "more than one image". Two versions of a tag can't be told apart.
#          --annotate-ref adds names, but still appends: then a name has two entries.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1 (its crane command)
# Output:  entries after the first pull: 1, different digests: 1
#          push of the layout: <nil>
#          entries after the second pull: 2, different digests: 1
#          push of the layout again: layout contains 2 entries, consider --index
#          entries after two pulls with --annotate-ref: 2, different digests: 1
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
)
EOM
cat > main.go <<'EOM'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
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

// run runs the crane command.
func run(args ...string) error {
	command := cmd.New("crane", "copy images", nil)
	command.SetArgs(args)
	command.SilenceUsage, command.SilenceErrors = true, true
	return command.Execute()
}

func entries(dir string) string {
	index := must(must(layout.ImageIndexFromPath(dir)).IndexManifest())
	digests := map[string]bool{}
	for _, entry := range index.Manifests {
		digests[entry.Digest.String()] = true
	}
	return fmt.Sprintf("%d, different digests: %d", len(index.Manifests), len(digests))
}

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if err := crane.Push(must(random.Image(100, 1)), host+"/app:1", crane.Insecure); err != nil {
		panic(err)
	}
	must(0, run("pull", "--format", "oci", host+"/app:1", "plain"))
	want("entries after the first pull", entries("plain"), "1, different digests: 1")
	want("push of the layout", run("push", "plain", host+"/copy:1"), nil)
	must(0, run("pull", "--format", "oci", host+"/app:1", "plain"))
	want("entries after the second pull", entries("plain"), "2, different digests: 1")
	want("push of the layout again", run("push", "plain", host+"/copy:1"), "layout contains 2 entries, consider --index")
	for range 2 {
		must(0, run("pull", "--format", "oci", "--annotate-ref", host+"/app:1", "named"))
	}
	want("entries after two pulls with --annotate-ref", entries("named"), "2, different digests: 1")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
