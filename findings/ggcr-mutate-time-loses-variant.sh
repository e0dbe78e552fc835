#!/usr/bin/env bash
# go-containerregistry's mutate.Time changes more than times: arm/v7 becomes arm, OCI becomes Docker, annotations go.
#
# Guess:   mutate.Time(image, t) sets the timestamps of an image and leaves everything else.
# Because: its comment says that it sets all timestamps in an image to the given one, and nothing else.
#          mutate.Canonical, for reproducible images, is built on it.
# Really:  it builds a new Docker image from the layers and copies a few fields of the config. "variant" and
#          "os.features" of the config are lost, so an arm/v7 image no longer says v7. The OCI media types and the
#          annotations of the manifest are lost too.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1
# Output:  before: linux/arm/v7, application/vnd.oci.image.manifest.v1+json, annotations 1
#          after mutate.Time: linux/arm, application/vnd.docker.distribution.manifest.v2+json, annotations 0
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
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
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

func describe(image v1.Image) string {
	manifest := must(image.Manifest())
	return fmt.Sprintf("%s, %s, annotations %d", must(image.ConfigFile()).Platform(), manifest.MediaType, len(manifest.Annotations))
}

func main() {
	image := mutate.MediaType(must(random.Image(64, 1)), types.OCIManifestSchema1)
	config := must(image.ConfigFile()).DeepCopy()
	config.OS, config.Architecture, config.Variant = "linux", "arm", "v7"
	image = must(mutate.ConfigFile(image, config))
	image = mutate.Annotations(image, map[string]string{"org.opencontainers.image.title": "example"}).(v1.Image)
	want("before", describe(image), "linux/arm/v7, application/vnd.oci.image.manifest.v1+json, annotations 1")
	want("after mutate.Time", describe(must(mutate.Time(image, time.Unix(0, 0)))),
		"linux/arm, application/vnd.docker.distribution.manifest.v2+json, annotations 0")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
