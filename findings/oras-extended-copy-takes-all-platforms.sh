#!/usr/bin/env bash
# oras-go's ExtendedCopy of one platform's image copies all platforms out of a layout, and one out of a registry.
#
# Guess:   oras.ExtendedCopy(layout, "web-arm64") copies that image and what refers to it: its signatures and SBOMs.
#          The same call with a registry that has the same content copies the same.
# Because: it is the call behind "copy with referrers", and layouts and registries are used by one interface.
# Really:  it copies everything above the image. In a layout an index counts as such, so the whole multi-platform
#          image comes along; a registry is only asked for referrers, which does not include indexes.
# Seen:    2026-11-29, Go 1.26.8, oras-go v2.7.0, go-containerregistry v0.22.1 (its registry)
# Output:  manifests copied from the layout: 4
#          manifests copied from the registry: 1
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
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/content/oci"
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

func push(store content.Pusher, mediaType string, data []byte) ocispec.Descriptor {
	desc := content.NewDescriptorFromBytes(mediaType, data)
	if err := store.Push(context.Background(), desc, bytes.NewReader(data)); err != nil {
		panic(err)
	}
	return desc
}

// fill writes an image for three platforms; the one for arm64 has a tag of its own.
func fill(store oras.Target) {
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, arch := range []string{"amd64", "arm64", "s390x"} {
		layer := push(store, ocispec.MediaTypeImageLayer, []byte("layer of "+arch))
		config := push(store, ocispec.MediaTypeImageConfig, must(json.Marshal(ocispec.Image{
			Platform: ocispec.Platform{OS: "linux", Architecture: arch},
			RootFS:   ocispec.RootFS{Type: "layers"}})))
		desc := push(store, ocispec.MediaTypeImageManifest, must(json.Marshal(ocispec.Manifest{
			Versioned: index.Versioned, MediaType: ocispec.MediaTypeImageManifest,
			Config: config, Layers: []ocispec.Descriptor{layer}})))
		if err := store.Tag(context.Background(), desc, "web-"+arch); err != nil {
			panic(err)
		}
		desc.Platform = &ocispec.Platform{OS: "linux", Architecture: arch}
		index.Manifests = append(index.Manifests, desc)
	}
	desc := push(store, index.MediaType, must(json.Marshal(index)))
	if err := store.Tag(context.Background(), desc, "web"); err != nil {
		panic(err)
	}
}

// manifests counts what ExtendedCopy of web-arm64 copies.
func manifests(source oras.ReadOnlyGraphTarget) int64 {
	var n atomic.Int64
	options := oras.DefaultExtendedCopyOptions
	options.PostCopy = func(_ context.Context, desc ocispec.Descriptor) error {
		if desc.MediaType == ocispec.MediaTypeImageManifest || desc.MediaType == ocispec.MediaTypeImageIndex {
			n.Add(1)
		}
		return nil
	}
	must(oras.ExtendedCopy(context.Background(), source, "web-arm64", memory.New(), "", options))
	return n.Load()
}

func main() {
	layout := must(oci.New("layout"))
	fill(layout)
	want("manifests copied from the layout", manifests(layout), 4)

	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := must(remote.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/web"))
	repository.PlainHTTP = true
	fill(repository)
	want("manifests copied from the registry", manifests(repository), 1)
}
EOF
go mod tidy 2> /dev/null
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
