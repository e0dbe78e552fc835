#!/usr/bin/env bash
# klauspost/compress/gzip, made as a drop-in for compress/gzip, has another default level and other results at each
# level.
#
# Guess:   with the import path changed, DefaultCompression still means level 6, and level 6 still gives about the
#          size of level 6.
# Because: the README calls the package a drop-in replacement with the same API. Level 6 is the default of zlib and of
#          Go. Skopeo and Podman compress layers with it, through pgzip.
# Really:  the default is level 5. Level 5 is larger than compress/gzip's level 5, and so on up to 9: on the text
#          below the default output is 13 % larger. No level has the bytes of compress/gzip at any level, so a layer's
#          digest changes with the import.
# Seen:    2026-11-28, Go 1.26.8, klauspost/compress v1.20.4
# Output:  compress/gzip: default equals level 6: true
#          klauspost: default equals level 5: true
#          klauspost: default equals level 6: false
#          klauspost's default is larger than compress/gzip's: true
#          levels 1-9 with equal bytes in both: 0
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
	stdgzip "compress/gzip"
	"fmt"
	"io"
	"math/rand"
	"os"

	"github.com/klauspost/compress/gzip"
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

// text is 3 MiB of words in a fixed order.
func text() []byte {
	words := []string{"alpha ", "beta ", "gamma\n", "delta ", "/usr/lib/", "0000", "\x00\x00\x00\x00"}
	random := rand.New(rand.NewSource(1))
	var b bytes.Buffer
	for b.Len() < 3<<20 {
		b.WriteString(words[random.Intn(len(words))])
		if random.Intn(5) == 0 {
			b.WriteByte(byte(random.Intn(256)))
		}
	}
	return b.Bytes()
}

func compress(newWriter func(io.Writer) (io.WriteCloser, error), data []byte) []byte {
	var b bytes.Buffer
	w := must(newWriter(&b))
	must(w.Write(data))
	must(0, w.Close())
	return b.Bytes()
}

func main() {
	data := text()
	std, klauspost := map[int][]byte{}, map[int][]byte{}
	for level := -1; level <= 9; level++ {
		std[level] = compress(func(w io.Writer) (io.WriteCloser, error) { return stdgzip.NewWriterLevel(w, level) }, data)
		klauspost[level] = compress(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) }, data)
		fmt.Printf("level %2d: compress/gzip %d bytes, klauspost %d bytes\n", level, len(std[level]), len(klauspost[level]))
	}
	want("compress/gzip: default equals level 6", bytes.Equal(std[-1], std[6]), true)
	want("klauspost: default equals level 5", bytes.Equal(klauspost[-1], klauspost[5]), true)
	want("klauspost: default equals level 6", bytes.Equal(klauspost[-1], klauspost[6]), false)
	want("klauspost's default is larger than compress/gzip's", len(klauspost[-1]) > len(std[-1]), true)
	equal := 0
	for a := 1; a <= 9; a++ {
		for b := 1; b <= 9; b++ {
			if bytes.Equal(std[a], klauspost[b]) {
				equal++
			}
		}
	}
	want("levels 1-9 with equal bytes in both", equal, 0)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
