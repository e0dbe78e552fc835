#!/usr/bin/env bash
# pgzip never writes the bytes of the gzip package that it is built on, not even for one block, but any number of CPUs
# gives the same.
#
# Guess:   pgzip cuts the input into blocks for its goroutines. Input smaller than a block is not cut, so the output
#          is that of klauspost's gzip at the same level. For more blocks the output depends on the number of
#          goroutines.
# Because: pgzip compresses each block with klauspost's deflate at the given level, and the README describes the
#          parallel blocks as the difference.
# Really:  the reverse. Every block ends with a flush, a single block too: a few more bytes, another digest. And the
#          output depends on the block size, not on the number of goroutines. Skopeo and Podman compress layers with
#          pgzip, so no level of gzip reproduces their layers, but pgzip on a machine with other CPUs does.
# Seen:    2026-11-28, Go 1.26.8, pgzip v1.3.0, klauspost/compress v1.20.4
# Output:  one block: pgzip is longer than gzip: true
#          three blocks: 1, 2 and 8 goroutines differ: false
#          three blocks: blocks of 1 MiB and 2 MiB differ: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/klauspost/compress v1.20.4
	github.com/klauspost/pgzip v1.3.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"
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

func parallel(data []byte, blockSize, goroutines int) []byte {
	var b bytes.Buffer
	w := must(pgzip.NewWriterLevel(&b, 6))
	must(0, w.SetConcurrency(blockSize, goroutines))
	must(w.Write(data))
	must(0, w.Close())
	return b.Bytes()
}

func main() {
	random := rand.New(rand.NewSource(1))
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = "registry image layer\n"[random.Intn(21)]
	}
	small := data[:5000]
	var b bytes.Buffer
	w := must(gzip.NewWriterLevel(&b, 6))
	must(w.Write(small))
	must(0, w.Close())
	want("one block: pgzip is longer than gzip", len(parallel(small, 1<<20, 4)) > b.Len(), true)

	one := parallel(data, 1<<20, 1)
	want("three blocks: 1, 2 and 8 goroutines differ",
		!bytes.Equal(one, parallel(data, 1<<20, 2)) || !bytes.Equal(one, parallel(data, 1<<20, 8)), false)
	want("three blocks: blocks of 1 MiB and 2 MiB differ", !bytes.Equal(one, parallel(data, 2<<20, 1)), true)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
