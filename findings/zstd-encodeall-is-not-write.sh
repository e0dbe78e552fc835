#!/usr/bin/env bash
# One klauspost zstd encoder compresses the same bytes to two different frames of the same length, by EncodeAll and by
# Write.
#
# Guess:   EncodeAll is Write and Close for data that is in memory. The frame is the same.
# Because: both are methods of one Encoder with one set of options, and the output has the same length to the byte.
# Really:  EncodeAll knows the size and writes a frame header with it; the streaming header has a window size instead.
#          A layer that one version of a program compresses from memory and another from a file gets two digests, and
#          the equal length hides it from a check by size. The number of goroutines has no part in it.
# Seen:    2026-11-28, Go 1.26.8, klauspost/compress v1.20.4
# Output:  lengths equal: true
#          bytes equal: false
#          frame header says the size, EncodeAll: true
#          frame header says the size, Write: false
#          bytes equal with 1 and 4 goroutines: true
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
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"

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

// encode returns what EncodeAll and Write make of the data.
func encode(data []byte, goroutines int) (all, stream []byte) {
	var b bytes.Buffer
	encoder := must(zstd.NewWriter(&b, zstd.WithEncoderConcurrency(goroutines)))
	must(encoder.Write(data))
	must(0, encoder.Close())
	return encoder.EncodeAll(data, nil), b.Bytes()
}

func saysSize(frame []byte) bool {
	var header zstd.Header
	must(0, header.Decode(frame))
	return header.HasFCS
}

func main() {
	random := rand.New(rand.NewSource(1))
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = "registry image layer\n"[random.Intn(21)]
	}
	all, stream := encode(data, 1)
	want("lengths equal", len(all) == len(stream), true)
	want("bytes equal", bytes.Equal(all, stream), false)
	want("frame header says the size, EncodeAll", saysSize(all), true)
	want("frame header says the size, Write", saysSize(stream), false)
	allOf4, streamOf4 := encode(data, 4)
	want("bytes equal with 1 and 4 goroutines", bytes.Equal(all, allOf4) && bytes.Equal(stream, streamOf4), true)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
