#!/usr/bin/env bash
# go-containerregistry names an image in a layout by what its own manifest says, but only if it came from a registry.
#
# Guess:   layout.AppendImage without an option for annotations adds an entry with media type, digest and size. The
#          entry has no name, since none was given. Two images with one digest get the same entry.
# Because: image-spec says that org.opencontainers.image.ref.name SHOULD only be considered valid on descriptors in
#          index.json, so one inside a manifest is not a name. AppendImage documents options for annotations.
# Really:  for an image that was read from a registry, all annotations of the manifest are copied onto the entry,
#          ref.name too, and it becomes the entry's name, a valid one now. For the same image held in memory nothing
#          is copied.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1
# Output:  same digest: true
#          entry of the image in memory: map[]
#          entry of the image from a registry: map[org.opencontainers.image.ref.name:not-a-name]
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
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
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

func entry(dir string, image v1.Image) map[string]string {
	path := must(layout.Write(dir, empty.Index))
	if err := path.AppendImage(image); err != nil {
		panic(err)
	}
	return must(must(path.ImageIndex()).IndexManifest()).Manifests[0].Annotations
}

func main() {
	image := mutate.MediaType(must(random.Image(64, 1)), types.OCIManifestSchema1)
	image = mutate.Annotations(image, map[string]string{"org.opencontainers.image.ref.name": "not-a-name"}).(v1.Image)

	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	tag := must(name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/app:1"))
	if err := remote.Write(tag, image); err != nil {
		panic(err)
	}
	pulled := must(remote.Image(tag))

	want("same digest", must(pulled.Digest()) == must(image.Digest()), true)
	want("entry of the image in memory", entry("memory", image), "map[]")
	want("entry of the image from a registry", entry("pulled", pulled), "map[org.opencontainers.image.ref.name:not-a-name]")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
