#!/usr/bin/env bash
# go-containerregistry's mutate drops the subject of a signature or SBOM when it changes anything else in its
# manifest.
#
# Guess:   mutate.Annotations(image, …) returns the same manifest with more annotations. Its subject stays.
# Because: image-spec v1.1 has "subject" in image manifest and index, mutate.Subject sets it, and each function of the
#          package describes the one thing that it changes. The package keeps the rest.
# Really:  a mutation that does not set a subject removes it. The result can be pushed, but no referrers query finds
#          it: the signature is no longer attached to its image. Indexes behave alike.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1
# Output:  subject before: true
#          subject after mutate.Annotations: false
#          first annotation after mutate.Annotations: example
#          subject of an index after mutate.AppendManifests: false
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
	"encoding/json"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
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

// has reports whether the manifest has a field.
func has(manifest []byte, field string) bool {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(manifest, &fields); err != nil {
		panic(err)
	}
	return fields[field] != nil
}

func main() {
	subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: 2, Digest: must(v1.NewHash(
		"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"))}

	image := mutate.MediaType(must(random.Image(64, 1)), types.OCIManifestSchema1)
	image = mutate.Annotations(image, map[string]string{"kind": "example"}).(v1.Image)
	signature := mutate.Subject(image, subject).(v1.Image)
	want("subject before", has(must(signature.RawManifest()), "subject"), true)
	annotated := mutate.Annotations(signature, map[string]string{"note": "example"}).(v1.Image)
	want("subject after mutate.Annotations", has(must(annotated.RawManifest()), "subject"), false)
	want("first annotation after mutate.Annotations", must(annotated.Manifest()).Annotations["kind"], "example")

	index := mutate.Subject(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), subject).(v1.ImageIndex)
	appended := mutate.AppendManifests(index, mutate.IndexAddendum{Add: image})
	want("subject of an index after mutate.AppendManifests", has(must(appended.RawManifest()), "subject"), false)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
