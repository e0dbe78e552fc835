#!/usr/bin/env bash
# oras-go's layout store deletes layers and signatures together with a manifest; a registry, same interface, deletes
# one.
#
# Guess:   store.Delete(manifest) removes that manifest. Layers stay until a garbage collection is asked for, and the
#          manifests of signatures stay, since they are content of their own.
# Because: Delete on a repository of a registry sends one DELETE for the one descriptor, the store has a method GC for
#          the rest, and the comment of Delete says that referrers go only if a field AutoDeleteReferrers is set.
# Really:  there is no such field. The store deletes everything below the manifest that nothing else uses, and every
#          manifest with it as subject. An image that shares nothing leaves an empty layout. AutoGC, which is on from
#          the start, decides on both.
# Seen:    2026-11-28, Go 1.26.8, oras-go v2.7.0
# Output:  blobs before: 6
#          blobs after one Delete: 0
#          blobs after one Delete without AutoGC: 5
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/opencontainers/image-spec v1.1.1
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"

	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
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

// blobs returns the number of blobs in the layout.
func blobs(dir string) int {
	return len(must(os.ReadDir(dir + "/blobs/sha256")))
}

// fill writes an image of two layers with a signature, and returns the image's descriptor.
func fill(store *oci.Store) specs.Descriptor {
	ctx := context.Background()
	layers := []specs.Descriptor{
		must(oras.PushBytes(ctx, store, "text/plain", []byte("one"))),
		must(oras.PushBytes(ctx, store, "text/plain", []byte("two"))),
	}
	config := must(oras.PushBytes(ctx, store, "application/vnd.example.config", []byte(`{"example": true}`)))
	image := must(oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "",
		oras.PackManifestOptions{Layers: layers, ConfigDescriptor: &config}))
	must(oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "application/vnd.example.signature",
		oras.PackManifestOptions{Subject: &image}))
	return image
}

func main() {
	ctx := context.Background()
	store := must(oci.New("usual"))
	image := fill(store)
	want("blobs before", blobs("usual"), 6)
	if err := store.Delete(ctx, image); err != nil {
		panic(err)
	}
	want("blobs after one Delete", blobs("usual"), 0)

	store = must(oci.New("off"))
	store.AutoGC = false
	if err := store.Delete(ctx, fill(store)); err != nil {
		panic(err)
	}
	want("blobs after one Delete without AutoGC", blobs("off"), 5)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
