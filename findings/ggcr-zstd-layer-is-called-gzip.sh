#!/usr/bin/env bash
# go-containerregistry recognizes a zstd layer file, decompresses it for the diffID, and calls it a gzip layer.
#
# Guess:   tarball.LayerFromFile("layer.tar.zst") has a zstd media type.
# Because: the function reads the magic number, and uses the zstd decoder for the diffID of the same layer. Image-spec
#          has a media type for tar+zstd, and the package has a constant for it. The remark in the documentation on
#          setting the type by hand is about compressing, not about input that is compressed already.
# Really:  the media type is application/vnd.docker.image.rootfs.diff.tar.gzip, without a warning. A reader that goes
#          by the bytes does not notice; a reader that goes by the media type starts a gzip decoder.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1
# Output:  diffID is that of the decompressed tar: true
#          media type: application/vnd.docker.image.rootfs.diff.tar.gzip
#          magic number: 28b52ffd
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
	github.com/klauspost/compress v1.20.4
)
EOF
cat > main.go <<'EOF'
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/klauspost/compress/zstd"
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
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "hello.txt", Mode: 0o644, Size: 5}); err != nil {
		panic(err)
	}
	must(w.Write([]byte("hello")))
	if err := w.Close(); err != nil {
		panic(err)
	}
	compressed := must(zstd.NewWriter(nil)).EncodeAll(plain.Bytes(), nil)
	if err := os.WriteFile("layer.tar.zst", compressed, 0o644); err != nil {
		panic(err)
	}
	layer := must(tarball.LayerFromFile("layer.tar.zst"))
	diffID, _, err := v1.SHA256(bytes.NewReader(plain.Bytes()))
	if err != nil {
		panic(err)
	}
	want("diffID is that of the decompressed tar", must(layer.DiffID()) == diffID, true)
	want("media type", must(layer.MediaType()), "application/vnd.docker.image.rootfs.diff.tar.gzip")
	content := must(layer.Compressed())
	want("magic number", fmt.Sprintf("%x", must(io.ReadAll(content))[:4]), "28b52ffd")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
