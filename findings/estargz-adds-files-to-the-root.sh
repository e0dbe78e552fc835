#!/usr/bin/env bash
# An image whose layers are converted to eStargz has two more files in its root directory, for all who pull it as usual.
#
# Guess:   the conversion changes the compression. The files of the image are the same, so the DiffIDs are too, and a
#          scanner, a comparison of two builds or "COPY --from=image / /" sees no difference.
# Because: eStargz is described as a compatible form of a gzip layer, which every runtime can use without lazy pulling, and
#          the index of the files is at the end of the blob, as in a zip file.
# Really:  the index is a file of the tar, stargz.index.json, and so is .no.prefetch.landmark at its beginning (or
#          .prefetch.landmark). The snapshotter hides them. A runtime without it unpacks them into / like all files,
#          that of the last layer wins, and "COPY --from" copies them on. DiffIDs, and with them the config and the image
#          ID, change.
# Seen:    2026-12-01, Go 1.26.8, stargz-snapshotter/estargz v0.19.1, go-containerregistry v0.22.1
# Output:  files before: bin bin/sh etc etc/app.json
#          files after: .no.prefetch.landmark bin bin/sh etc etc/app.json stargz.index.json
#          DiffIDs equal: false
#          the index in / lists bin/sh: false, etc/app.json: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/containerd/stargz-snapshotter/estargz v0.19.1
	github.com/google/go-containerregistry v0.22.1
)
EOM
cat > main.go <<'EOM'
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/containerd/stargz-snapshotter/estargz"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
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

// pack returns the tar of a directory with one file.
func pack(directory, file string) []byte {
	var out bytes.Buffer
	files := tar.NewWriter(&out)
	must(0, files.WriteHeader(&tar.Header{Name: directory + "/", Mode: 0o755, Typeflag: tar.TypeDir}))
	must(0, files.WriteHeader(&tar.Header{Name: directory + "/" + file, Mode: 0o755, Size: 5, Typeflag: tar.TypeReg}))
	must(files.Write([]byte("hello")))
	must(0, files.Close())
	return out.Bytes()
}

func convert(plain []byte) []byte {
	return must(io.ReadAll(must(estargz.Build(io.NewSectionReader(bytes.NewReader(plain), 0, int64(len(plain)))))))
}

func build(layers ...[]byte) v1.Image {
	image := empty.Image
	for _, content := range layers {
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
		image = must(mutate.AppendLayers(image, must(tarball.LayerFromOpener(open))))
	}
	return image
}

// extract returns what a runtime without the snapshotter has in its root directory.
func extract(image v1.Image) (names, index string) {
	files := tar.NewReader(mutate.Extract(image))
	var found []string
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(0, err)
		found = append(found, header.Name)
		if header.Name == estargz.TOCTarName {
			index = string(must(io.ReadAll(files)))
		}
	}
	slices.Sort(found)
	return strings.Join(found, " "), index
}

func main() {
	lower, upper := pack("bin", "sh"), pack("etc", "app.json")
	before, after := build(lower, upper), build(convert(lower), convert(upper))
	names, _ := extract(before)
	want("files before", names, "bin bin/sh etc etc/app.json")
	names, index := extract(after)
	want("files after", names, ".no.prefetch.landmark bin bin/sh etc etc/app.json stargz.index.json")
	want("DiffIDs equal", slices.Equal(must(before.ConfigFile()).RootFS.DiffIDs, must(after.ConfigFile()).RootFS.DiffIDs), false)
	want("the index in / lists bin/sh", fmt.Sprintf("%v, etc/app.json: %v",
		strings.Contains(index, `"bin/sh"`), strings.Contains(index, `"etc/app.json"`)), "false, etc/app.json: true")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
