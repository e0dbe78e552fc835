#!/usr/bin/env bash
# go-containerregistry compresses layers with Go's own compress/gzip at level 1, bit for bit; larger than any other
# level.
#
# Guess:   a layer made from a plain tar is compressed at gzip's default level (6), as by docker, podman and gzip
#          itself, and can't be reproduced without the library.
# Because: the documentation of tarball.LayerFromFile names no level, and a registry stores and sends a layer many
#          times.
# Really:  the level is BestSpeed and the encoder the standard library's. Fifteen lines of Go without the library make
#          a layer with the same digest, so a lost compressed layer can be rebuilt from the tar.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1
# Output:  layer equals compress/gzip level 1: true
#          layer equals compress/gzip default level: false
#          layer is larger than at the default level: true
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
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
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

func compress(data []byte, level int) (v1.Hash, int64) {
	var b bytes.Buffer
	w := must(gzip.NewWriterLevel(&b, level))
	must(w.Write(data))
	must(0, w.Close())
	hash, size, err := v1.SHA256(&b)
	return must(hash, err), size
}

func main() {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 2000 {
		text := fmt.Appendf(nil, "line %d of a file that compresses well\n", i*i)
		must(0, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("file%d.txt", i), Mode: 0o644, Size: int64(len(text))}))
		must(w.Write(text))
	}
	must(0, w.Close())
	must(0, os.WriteFile("layer.tar", b.Bytes(), 0o644))

	layer := must(tarball.LayerFromFile("layer.tar"))
	fast, _ := compress(b.Bytes(), gzip.BestSpeed)
	usual, size := compress(b.Bytes(), gzip.DefaultCompression)
	want("layer equals compress/gzip level 1", must(layer.Digest()) == fast, true)
	want("layer equals compress/gzip default level", must(layer.Digest()) == usual, false)
	want("layer is larger than at the default level", must(layer.Size()) > size, true)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
