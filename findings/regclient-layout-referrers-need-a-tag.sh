#!/usr/bin/env bash
# regclient sees no referrers in an OCI layout that oras-go wrote, although their manifests are entries of index.json.
#
# Guess:   regclient finds the signature of an image in a layout when index.json has an entry for the signature and
#          the signature's manifest has the image as its subject.
# Because: image-spec v1.1 defines the relation by the "subject" field of the manifest alone. A layout has no API that
#          could be missing: everything that is needed is in index.json and blobs. oras-go works so.
# Really:  regclient looks only for an entry that is named sha256-HEX, the fallback tag for registries without the
#          referrers API. Without it the list is empty, no error. A copy with referrers from such a layout leaves the
#          signatures behind. After tagging an index of referrers by that name, regclient finds them. Its slow search
#          (regctl artifact list --slow-referrers) finds them without the tag; image copy does not offer it.
# Seen:    2026-11-28, Go 1.26.8, regclient v0.11.7, oras-go v2.7.0
# Output:  oras-go: 1 referrer(s)
#          regclient: 0 referrer(s)
#          regclient with a slow search: 1 referrer(s)
#          regclient with the tag sha256-HEX: 1 referrer(s)
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
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
	"strings"

	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/scheme"
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
	layer := must(oras.PushBytes(ctx, store, "text/plain", []byte("hello")))
	image := must(oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "application/vnd.example",
		oras.PackManifestOptions{Layers: []specs.Descriptor{layer}}))
	if err := store.Tag(ctx, image, "1"); err != nil {
		panic(err)
	}
	signature := must(oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "application/vnd.example.signature",
		oras.PackManifestOptions{Subject: &image}))

	count := func(options ...scheme.ReferrerOpts) string {
		list := must(regclient.New().ReferrerList(ctx, must(ref.New("ocidir://layout:1")), options...))
		return fmt.Sprint(len(list.Descriptors), " referrer(s)")
	}
	want("oras-go", fmt.Sprint(len(must(store.Predecessors(ctx, image))), " referrer(s)"), "1 referrer(s)")
	want("regclient", count(), "0 referrer(s)")
	want("regclient with a slow search", count(scheme.WithReferrerSlowSearch()), "1 referrer(s)")

	signature.ArtifactType = "application/vnd.example.signature"
	index := specs.Index{MediaType: specs.MediaTypeImageIndex, Manifests: []specs.Descriptor{signature}}
	index.SchemaVersion = 2
	list := must(oras.PushBytes(ctx, store, index.MediaType, must(json.Marshal(index))))
	if err := store.Tag(ctx, list, strings.Replace(image.Digest.String(), ":", "-", 1)); err != nil {
		panic(err)
	}
	want("regclient with the tag sha256-HEX", count(), "1 referrer(s)")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
