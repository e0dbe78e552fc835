#!/usr/bin/env bash
# regclient shortens the names in an OCI layout to what follows the last colon: two images become one tag.
#
# Guess:   a layout with the entries "docker.io/library/web:1" and "docker.io/library/db:1" has two references, and
#          both can be listed and read by these names.
# Because: the grammar of org.opencontainers.image.ref.name in image-spec allows "/", ":" and "@", image-layout.md
#          puts no meaning into the name, and Skopeo, Podman and BuildKit write whole names there.
# Really:  regclient lists one tag, "1". Reading ":1" returns the first of the two images, without a word about the
#          other. oras-go lists both names as they are written.
# Seen:    2026-11-28, Go 1.26.8, regclient v0.11.7, oras-go v2.7.0
# Output:  oras-go lists: [docker.io/library/db:1 docker.io/library/web:1]
#          regclient lists: [1]
#          regclient reads :1: the web image
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
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/types/ref"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
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
	ctx := context.Background()
	store := must(oci.New("layout"))
	digests := map[string]string{}
	for _, app := range []string{"web", "db"} {
		layer := must(oras.PushBytes(ctx, store, "text/plain", []byte(app)))
		manifest := must(oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "application/vnd.example",
			oras.PackManifestOptions{Layers: []specs.Descriptor{layer}}))
		if err := store.Tag(ctx, manifest, "docker.io/library/"+app+":1"); err != nil {
			panic(err)
		}
		digests[manifest.Digest.String()] = "the " + app + " image"
	}
	// Put the web image first, as a list of images would be written.
	var index specs.Index
	if err := json.Unmarshal(must(os.ReadFile("layout/index.json")), &index); err != nil {
		panic(err)
	}
	if digests[index.Manifests[0].Digest.String()] != "the web image" {
		index.Manifests[0], index.Manifests[1] = index.Manifests[1], index.Manifests[0]
	}
	if err := os.WriteFile("layout/index.json", must(json.Marshal(index)), 0o644); err != nil {
		panic(err)
	}

	must(0, store.Tags(ctx, "", func(tags []string) error {
		want("oras-go lists", tags, "[docker.io/library/db:1 docker.io/library/web:1]")
		return nil
	}))
	client := regclient.New()
	list := must(client.TagList(ctx, must(ref.New("ocidir://layout"))))
	want("regclient lists", must(list.GetTags()), "[1]")
	manifest := must(client.ManifestGet(ctx, must(ref.New("ocidir://layout:1"))))
	want("regclient reads :1", digests[manifest.GetDescriptor().Digest.String()], "the web image")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
