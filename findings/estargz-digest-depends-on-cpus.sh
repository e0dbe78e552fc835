#!/usr/bin/env bash
# estargz builds another layer on a machine with another number of CPUs: digest, table of contents, even the diff ID.
#
# Guess:   estargz.Build of one tar with one set of options makes one layer, as gzip of one file does at one level.
# Because: no option of the package has to do with CPUs, and a layer is named by its digest: two builders that are to
#          agree (or a cache, or a signature made elsewhere) need the same bytes.
# Really:  Build splits the entries of the tar among as many writers as GOMAXPROCS allows, and each writer ends its
#          part with a stream of its own. The parts show in the result, and through the table of contents also in the
#          uncompressed tar. With WithMinChunkSize(50000) it was the same for 1, 2 and 4 CPUs.
# Seen:    2026-11-29, Go 1.26.8, estargz v0.19.1
# Output:  digests with 1, 2 and 4 CPUs: 3 different
#          diff IDs with 1, 2 and 4 CPUs: 3 different
#          tables of contents with 1, 2 and 4 CPUs: 3 different
#          digests of three builds with 2 CPUs: 1 different
#          digests with 1, 2 and 4 CPUs, chunks of at least 50000 bytes: 1 different
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require github.com/containerd/stargz-snapshotter/estargz v0.19.1
EOF
cat > main.go <<'EOF'
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime"

	"github.com/containerd/stargz-snapshotter/estargz"
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

// layer returns a tar of 40 files of up to 31 kB.
func layer() []byte {
	random := rand.New(rand.NewSource(1))
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := range 40 {
		data := make([]byte, 1000+random.Intn(30000))
		for j := range data {
			data[j] = byte(random.Intn(16))
		}
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("f%03d", i), Mode: 0o644, Size: int64(len(data))}); err != nil {
			panic(err)
		}
		must(w.Write(data))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func main() {
	plain := layer()
	build := func(cpus, minChunk int) (digest, diffID, toc string) {
		runtime.GOMAXPROCS(cpus)
		blob := must(estargz.Build(io.NewSectionReader(bytes.NewReader(plain), 0, int64(len(plain))),
			estargz.WithMinChunkSize(minChunk)))
		defer blob.Close()
		hash := sha256.New()
		must(io.Copy(hash, blob))
		return fmt.Sprintf("%x", hash.Sum(nil)), blob.DiffID().String(), blob.TOCDigest().String()
	}
	different := func(minChunk int, cpus ...int) (n [3]int) {
		var seen [3]map[string]bool
		for i := range seen {
			seen[i] = map[string]bool{}
		}
		for _, c := range cpus {
			digest, diffID, toc := build(c, minChunk)
			for i, id := range []string{digest, diffID, toc} {
				seen[i][id] = true
			}
		}
		for i := range seen {
			n[i] = len(seen[i])
		}
		return n
	}
	n := different(0, 1, 2, 4)
	want("digests with 1, 2 and 4 CPUs", fmt.Sprint(n[0], " different"), "3 different")
	want("diff IDs with 1, 2 and 4 CPUs", fmt.Sprint(n[1], " different"), "3 different")
	want("tables of contents with 1, 2 and 4 CPUs", fmt.Sprint(n[2], " different"), "3 different")
	want("digests of three builds with 2 CPUs", fmt.Sprint(different(0, 2, 2, 2)[0], " different"), "1 different")
	want("digests with 1, 2 and 4 CPUs, chunks of at least 50000 bytes",
		fmt.Sprint(different(50000, 1, 2, 4)[0], " different"), "1 different")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
