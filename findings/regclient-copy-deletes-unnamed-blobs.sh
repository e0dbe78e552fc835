#!/usr/bin/env bash
# Copying an image into an OCI layout with regclient (regctl image copy) deletes what no entry of index.json leads to,
# such as the signatures in a layout of "cosign save".
#
# Guess:   a copy adds an image. Whatever else is in the layout stays.
# Because: image-spec allows blobs that nothing refers to, neither the help of regctl nor its README speaks of a
#          clean-up, and in a registry the same command deletes nothing. cosign 3.1.3 keeps bundles as blobs without
#          an entry, and finds them by their subject.
# Really:  after each change of a layout regclient removes all blobs that it did not reach from index.json. The
#          signature of an image that has nothing to do with the copy is gone, without a message. So is a blob that
#          another program wrote a moment ago and is about to name. regctl has no flag against it.
# Seen:    2026-11-29, Go 1.26.8, regclient v0.11.7
# Output:  files before, signature there: 6, true
#          files after a copy of another image, signature there: 6, false
#          image of the signature is whole: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
	github.com/regclient/regclient v0.11.7
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/types/ref"
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

func path(layout string, d v1.Descriptor) string {
	return filepath.Join(layout, "blobs", "sha256", d.Digest.Encoded())
}

func put(layout, mediaType string, content []byte) v1.Descriptor {
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
	must(0, os.MkdirAll(filepath.Dir(path(layout, d)), 0o755))
	must(0, os.WriteFile(path(layout, d), content, 0o644))
	return d
}

// image writes a layout with one image that has one layer, tagged with its name.
func image(name string) []v1.Descriptor {
	layer := put(name, v1.MediaTypeImageLayer, []byte("the layer of "+name))
	config := put(name, v1.MediaTypeImageConfig, must(json.Marshal(v1.Image{
		Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}},
	})))
	manifest := put(name, v1.MediaTypeImageManifest, must(json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: []v1.Descriptor{layer},
	})))
	entry := manifest
	entry.Annotations = map[string]string{v1.AnnotationRefName: name}
	must(0, os.WriteFile(name+"/index.json", must(json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{entry},
	})), 0o644))
	must(0, os.WriteFile(name+"/oci-layout", []byte(`{"imageLayoutVersion": "1.0.0"}`), 0o644))
	return []v1.Descriptor{manifest, config, layer}
}

func exist(layout string, all ...v1.Descriptor) bool {
	for _, one := range all {
		if _, err := os.Stat(path(layout, one)); err != nil {
			return false
		}
	}
	return true
}

func main() {
	image("other")
	signed := image("signed")
	payload := put("signed", "application/vnd.example.signature", []byte("signature"))
	empty := put("signed", v1.MediaTypeEmptyJSON, []byte("{}"))
	signature := put("signed", v1.MediaTypeImageManifest, must(json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: "application/vnd.example.signature",
		Config: empty, Layers: []v1.Descriptor{payload}, Subject: &signed[0],
	})))
	state := func() string {
		return fmt.Sprintf("%d, %v", len(must(filepath.Glob("signed/blobs/sha256/*"))), exist("signed", signature, payload))
	}
	want("files before, signature there", state(), "6, true")

	ctx, client := context.Background(), regclient.New()
	target := must(ref.New("ocidir://signed:other"))
	must(0, client.ImageCopy(ctx, must(ref.New("ocidir://other:other")), target))
	must(0, client.Close(ctx, target)) // as regctl does after each command
	want("files after a copy of another image, signature there", state(), "6, false")
	want("image of the signature is whole", exist("signed", signed...), true)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
