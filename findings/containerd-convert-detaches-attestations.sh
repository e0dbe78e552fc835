#!/usr/bin/env bash
# After "ctr image convert" or "nerdctl image convert", the SBOM and the provenance of an image belong to an image that
# no longer exists.
#
# Guess:   converting an index of BuildKit to OCI's media types keeps what is in it: the image and its attestation, which
#          still belong together.
# Because: the entry of the attestation is kept (with all platforms), and the converter updates every other reference to
#          what it changes: the diff IDs in the config, the config and the layers in the manifest, the index.
# Really:  the attestation's entry names its image in the annotation vnd.docker.reference.digest, which is copied as it
#          is. Readers that look for the SBOM of the new image by this annotation find none, and the one that is there
#          refers to a digest that the index does not have. There is no warning.
# Seen:    2026-11-30, Go 1.26.8, containerd v2.4.2 (core/images/converter, which both commands call)
# Output:  before: 2 entries, the attestation refers to an entry: true
#          after: 2 entries, the attestation refers to an entry: false
#          it refers to the old image: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/containerd/containerd/v2 v2.4.2
	github.com/containerd/log v0.2.0
	github.com/containerd/platforms v1.0.0-rc.5
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"context"
	_ "crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/converter"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/log"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const annotation = "vnd.docker.reference.digest"

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// labels are those of the content store, in memory.
type labels map[digest.Digest]map[string]string

func (l labels) Get(d digest.Digest) (map[string]string, error) { return l[d], nil }

func (l labels) Set(d digest.Digest, set map[string]string) error {
	l[d] = set
	return nil
}

func (l labels) Update(d digest.Digest, set map[string]string) (map[string]string, error) {
	l[d] = set
	return set, nil
}

func main() {
	ctx := context.Background()
	must(0, log.SetLevel("error"))
	store := must(local.NewLabeledStore("store", labels{}))
	put := func(mediaType string, blob []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(blob), Size: int64(len(blob))}
		must(0, content.WriteBlob(ctx, store, d.Digest.String(), bytes.NewReader(blob), d))
		return d
	}
	image := func(manifestType, configType string, layer ocispec.Descriptor, platform ocispec.Platform) ocispec.Descriptor {
		config := put(configType, must(json.Marshal(ocispec.Image{Platform: platform, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}}})))
		d := put(manifestType, must(json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: manifestType, Config: config, Layers: []ocispec.Descriptor{layer}})))
		d.Platform = &platform
		return d
	}
	app := image(images.MediaTypeDockerSchema2Manifest, images.MediaTypeDockerSchema2Config,
		put(images.MediaTypeDockerSchema2Layer, make([]byte, 1024)), ocispec.Platform{OS: "linux", Architecture: "amd64"})
	sbom := image(ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig,
		put("application/vnd.in-toto+json", []byte(`{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document"}`)),
		ocispec.Platform{OS: "unknown", Architecture: "unknown"})
	sbom.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", annotation: app.Digest.String()}
	before := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{app, sbom}}

	convert := converter.DefaultIndexConvertFunc(nil, true, platforms.All)
	converted := must(convert(ctx, store, put(before.MediaType, must(json.Marshal(before)))))
	var after ocispec.Index
	must(0, json.Unmarshal(must(content.ReadBlob(ctx, store, *converted)), &after))

	summary := func(index ocispec.Index) string {
		subject := index.Manifests[1].Annotations[annotation]
		found := slices.ContainsFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.Digest.String() == subject })
		return fmt.Sprintf("%d entries, the attestation refers to an entry: %t", len(index.Manifests), found)
	}
	want("before", summary(before), "2 entries, the attestation refers to an entry: true")
	want("after", summary(after), "2 entries, the attestation refers to an entry: false")
	want("it refers to the old image", after.Manifests[1].Annotations[annotation] == app.Digest.String(), true)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
