#!/usr/bin/env bash
# "umoci gc" deletes the config and the layers of each image in a layout whose manifest has Docker's media type.
#
# Guess:   a garbage collection removes blobs that no image of the layout needs. Layers of a tagged image stay.
# Because: "umoci gc" is documented to remove blobs that cannot be reached from any tag, and an entry of Docker's type
#          is what crane, regctl and oras write when they save an image from a registry that has it in this form.
# Really:  umoci does not look into manifests of types that it does not know, and takes all below them for garbage.
#          It ends with exit code 0, the manifest and its tag stay, and the image can no longer be read. The same
#          image with OCI's media types keeps everything.
# Seen:    2026-11-29, Go 1.26.8, umoci v0.6.0
# Output:  oci: 3 blobs before, 3 after "umoci gc"
#          docker: 3 blobs before, 1 after "umoci gc"
#          tags of docker after "umoci gc": web
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require github.com/opencontainers/umoci v0.6.0
EOF
cat > main.go <<'EOF'
// The program writes a layout with one image, tagged "web": finding DIR oci|docker.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func write(name string, data []byte) {
	if err := os.WriteFile(name, data, 0o644); err != nil {
		panic(err)
	}
}

func main() {
	dir := os.Args[1]
	types := map[string][3]string{
		"oci": {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.config.v1+json",
			"application/vnd.oci.image.manifest.v1+json"},
		"docker": {"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.container.image.v1+json",
			"application/vnd.docker.distribution.manifest.v2+json"},
	}[os.Args[2]]
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		panic(err)
	}
	blob := func(mediaType string, data []byte) descriptor {
		hex := fmt.Sprintf("%x", sha256.Sum256(data))
		write(filepath.Join(blobs, hex), data)
		return descriptor{MediaType: mediaType, Digest: "sha256:" + hex, Size: len(data)}
	}
	layer := blob(types[0], make([]byte, 1024)) // an empty tar
	config := blob(types[1], must(json.Marshal(map[string]any{"architecture": "amd64", "os": "linux",
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}}})))
	manifest := blob(types[2], must(json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types[2],
		"config": config, "layers": []descriptor{layer}})))
	manifest.Annotations = map[string]string{"org.opencontainers.image.ref.name": "web"}
	write(filepath.Join(dir, "index.json"), must(json.Marshal(map[string]any{"schemaVersion": 2,
		"manifests": []descriptor{manifest}})))
	write(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}
EOF
go get github.com/opencontainers/umoci/cmd/umoci@v0.6.0 2> /dev/null
go build -o umoci github.com/opencontainers/umoci/cmd/umoci
go build -o finding .
grep -v indirect go.mod | grep 'umoci v[0-9]'

blobs() { find "$1/blobs" -type f | wc -l; }
for case in oci:3 docker:1; do
	name=${case%:*}
	./finding "$name" "$name"
	before=$(blobs "$name")
	./umoci gc --layout "$name"
	after=$(blobs "$name")
	echo "$name: $before blobs before, $after after \"umoci gc\""
	[ "$before $after" = "3 ${case#*:}" ] || { echo "CHANGED, expected: 3 before, ${case#*:} after"; exit 1; }
done
tags=$(./umoci ls --layout docker)
echo "tags of docker after \"umoci gc\": $tags"
[ "$tags" = web ] || { echo "CHANGED, expected: web"; exit 1; }
