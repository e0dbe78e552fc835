#!/usr/bin/env bash
# containerd exports "web:1" and "db:1" into one archive as two entries with the same name, "1".
#
# Guess:   "ctr images export" of two images makes a layout in which each can be chosen by its reference name.
# Because: image-spec has org.opencontainers.image.ref.name for that, its grammar takes whole names, and the caller
#          gives whole names.
# Really:  ref.name is only the tag, so both entries are called "1". The whole name is in an annotation of
#          containerd's own, io.containerd.image.name. A reader that looks for "1" gets an image, perhaps the wrong
#          one.
# Seen:    2026-11-28, Go 1.26.8, containerd v2.2.0
# Output:  ref.names: [1 1]
#          io.containerd.image.names: [registry.example.com/web:1 registry.example.com/db:1]
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/containerd/containerd/v2 v2.2.0
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"archive/tar"
	"bytes"
	"context"
	_ "crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
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

var (
	ctx   = context.Background()
	store = must(local.NewStore("store"))
)

func put(mediaType string, b []byte) specs.Descriptor {
	d := specs.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	must(0, content.WriteBlob(ctx, store, d.Digest.String(), bytes.NewReader(b), d))
	return d
}

func image(text string) specs.Descriptor {
	layer := put(specs.MediaTypeImageLayer, []byte(text))
	config := specs.Image{Platform: specs.Platform{OS: "linux", Architecture: "amd64"},
		RootFS: specs.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}}}
	manifest := specs.Manifest{MediaType: specs.MediaTypeImageManifest,
		Config: put(specs.MediaTypeImageConfig, must(json.Marshal(config))), Layers: []specs.Descriptor{layer}}
	manifest.SchemaVersion = 2
	return put(specs.MediaTypeImageManifest, must(json.Marshal(manifest)))
}

func main() {
	var exported bytes.Buffer
	must(0, archive.Export(ctx, store, &exported,
		archive.WithManifest(image("web"), "registry.example.com/web:1"),
		archive.WithManifest(image("db"), "registry.example.com/db:1")))

	var index specs.Index
	for r := tar.NewReader(&exported); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		if header.Name == "index.json" {
			must(0, json.NewDecoder(r).Decode(&index))
		}
	}
	var refs, names []string
	for _, entry := range index.Manifests {
		refs = append(refs, entry.Annotations["org.opencontainers.image.ref.name"])
		names = append(names, entry.Annotations["io.containerd.image.name"])
	}
	want("ref.names", refs, "[1 1]")
	want("io.containerd.image.names", names, "[registry.example.com/web:1 registry.example.com/db:1]")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
