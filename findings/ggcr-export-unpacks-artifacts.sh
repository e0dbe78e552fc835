#!/usr/bin/env bash
# "crane export" of a Helm chart, or of another artifact of one file, writes other bytes than the layer: it is unpacked.
#
# Guess:   "crane export HOST/charts/app:1.0.0 app-1.0.0.tgz" writes the chart archive, with the layer's digest. The command
#          does not need an image: what is one file in one layer comes out as a file.
# Because: the layer of an artifact is opaque: its media type says what the file is, +gzip or not, and oras and helm write
#          it as it is.
# Really:  crane looks at the first bytes of the layer, whatever its media type is, and unpacks gzip and zstd. The file
#          app-1.0.0.tgz is a plain tar, whose SHA-256 fits neither the manifest nor the provenance file; a backup
#          data.json.gz, pushed as application/octet-stream, comes out as JSON. "crane blob HOST/app@DIGEST" writes the
#          bytes.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1
# Output:  Helm chart: exported bytes equal the layer: false, equal what is inside: true
#          gzip file as application/octet-stream: exported bytes equal the layer: false, equal what is inside: true
#          JSON file: exported bytes equal the layer: true, equal what is inside: true
#          Helm chart, crane blob: bytes equal the layer: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require github.com/google/go-containerregistry v0.22.1
EOM
cat > main.go <<'EOM'
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
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
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	app := strings.TrimPrefix(server.URL, "http://") + "/app:1"
	push := func(mediaType, config string, content []byte) {
		scratch := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(config))
		must(0, crane.Push(must(mutate.AppendLayers(scratch, static.NewLayer(content, types.MediaType(mediaType)))), app))
	}
	export := func(content, inside []byte) string {
		var file bytes.Buffer
		must(0, crane.Export(must(crane.Pull(app)), &file))
		return fmt.Sprintf("exported bytes equal the layer: %v, equal what is inside: %v",
			bytes.Equal(file.Bytes(), content), bytes.Equal(file.Bytes(), inside))
	}
	inside := []byte(`{"example": true}`) // of a chart a tar, which makes no difference
	var packed bytes.Buffer
	zipper := gzip.NewWriter(&packed)
	must(zipper.Write(inside))
	must(0, zipper.Close())

	push("application/octet-stream", "application/vnd.example.config.v1+json", packed.Bytes())
	octets := export(packed.Bytes(), inside)
	push("application/json", "application/vnd.example.config.v1+json", inside)
	plain := export(inside, inside)
	push("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/vnd.cncf.helm.config.v1+json", packed.Bytes())
	want("Helm chart", export(packed.Bytes(), inside), "exported bytes equal the layer: false, equal what is inside: true")
	want("gzip file as application/octet-stream", octets, "exported bytes equal the layer: false, equal what is inside: true")
	want("JSON file", plain, "exported bytes equal the layer: true, equal what is inside: true")

	digest := must(must(crane.Pull(app)).Manifest()).Layers[0].Digest.String()
	layer := must(crane.PullLayer(strings.TrimSuffix(app, ":1") + "@" + digest))
	blob := must(io.ReadAll(must(layer.Compressed())))
	want("Helm chart, crane blob", fmt.Sprint("bytes equal the layer: ", bytes.Equal(blob, packed.Bytes())), "bytes equal the layer: true")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
