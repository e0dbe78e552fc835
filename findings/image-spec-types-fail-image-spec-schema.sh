#!/usr/bin/env bash
# image-spec's Go types write an empty list as null, which image-spec's own JSON schema refuses.
#
# Guess:   json.Marshal of specs.Index or specs.Manifest without entries makes valid JSON of that type, and the
#          validator that is in the same module accepts it.
# Because: both are published together as the reference, the fields have Go's zero value for "no entries", and
#          manifest.md only recommends (SHOULD) at least one layer.
# Really:  the lists have no omitempty and no default, so nil becomes "manifests":null and "layers":null. The schema
#          says array. For layers even [] is refused: the schema asks for one item where the text only recommends it.
# Seen:    2026-11-28, Go 1.26.8, image-spec v1.1.1
# Output:  index, nil: {"schemaVersion":2,"manifests":null} valid: false
#          index, empty: {"schemaVersion":2,"manifests":[]} valid: true
#          manifest, nil layers, valid: false
#          manifest, empty layers, valid: false
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
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/image-spec/schema"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
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

func valid(validator schema.Validator, b []byte) bool {
	return validator.Validate(bytes.NewReader(b)) == nil
}

func main() {
	var index specs.Index
	index.SchemaVersion = 2
	b := must(json.Marshal(index))
	want("index, nil", fmt.Sprint(string(b), " valid: ", valid(schema.ValidatorMediaTypeImageIndex, b)),
		`{"schemaVersion":2,"manifests":null} valid: false`)
	index.Manifests = []specs.Descriptor{}
	b = must(json.Marshal(index))
	want("index, empty", fmt.Sprint(string(b), " valid: ", valid(schema.ValidatorMediaTypeImageIndex, b)),
		`{"schemaVersion":2,"manifests":[]} valid: true`)

	manifest := specs.Manifest{MediaType: specs.MediaTypeImageManifest, Config: specs.DescriptorEmptyJSON,
		ArtifactType: "application/vnd.example"}
	manifest.SchemaVersion = 2
	b = must(json.Marshal(manifest))
	want("manifest, nil layers, valid", valid(schema.ValidatorMediaTypeManifest, b), false)
	manifest.Layers = []specs.Descriptor{}
	b = must(json.Marshal(manifest))
	want("manifest, empty layers, valid", valid(schema.ValidatorMediaTypeManifest, b), false)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
