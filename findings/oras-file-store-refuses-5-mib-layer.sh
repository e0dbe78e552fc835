#!/usr/bin/env bash
# oras-go can't copy an ordinary image into its file store: a layer over 4 MiB without a title is refused.
#
# Guess:   oras.Copy(image, fileStore) writes the layers, under some name, or skips layers that have no file name.
# Because: image-spec makes the title annotation optional, and no layer of a container image has one. Small images
#          work. The store keeps nameless content unless the option IgnoreNoName is set, and it is not.
# Really:  content without a title goes to a store in memory that takes at most 4 MiB a blob. Images with small layers
#          pass, the first larger layer ends the copy with "size exceeds limit".
# Seen:    2026-11-28, Go 1.26.8, oras-go v2.7.0
# Output:  4 MiB without a title: <nil>
#          5 MiB without a title, size exceeds limit: true
#          5 MiB with a title: <nil>
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
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/errdef"
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

// copyImage copies an image with one layer of the size to a file store.
func copyImage(size int, annotations map[string]string) error {
	ctx := context.Background()
	source := memory.New()
	layer := must(oras.PushBytes(ctx, source, specs.MediaTypeImageLayer, make([]byte, size)))
	layer.Annotations = annotations
	config := must(oras.PushBytes(ctx, source, specs.MediaTypeImageConfig, []byte(`{"architecture": "amd64", "os": "linux"}`)))
	manifest := must(oras.PackManifest(ctx, source, oras.PackManifestVersion1_1, "",
		oras.PackManifestOptions{Layers: []specs.Descriptor{layer}, ConfigDescriptor: &config}))
	if err := source.Tag(ctx, manifest, "1"); err != nil {
		return err
	}
	target := must(file.New(must(os.MkdirTemp(".", "target"))))
	defer target.Close()
	_, err := oras.Copy(ctx, source, "1", target, "1", oras.DefaultCopyOptions)
	return err
}

func main() {
	want("4 MiB without a title", copyImage(4<<20, nil), "<nil>")
	want("5 MiB without a title, size exceeds limit", errors.Is(copyImage(5<<20, nil), errdef.ErrSizeExceedsLimit), true)
	want("5 MiB with a title", copyImage(5<<20, map[string]string{specs.AnnotationTitle: "layer.tar"}), "<nil>")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
