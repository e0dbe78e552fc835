#!/usr/bin/env bash
# cyclonedx-go's EncodeVersion turns a key of the inventory into an "application", even at the version the document
# has.
#
# Guess:   EncodeVersion(bom, bom.SpecVersion) writes what Encode writes. For an older version it leaves out what that
#          version does not have, or returns an error.
# Because: cryptographic-asset is a component type of CycloneDX since 1.6 and the package has the constant. Nothing
#          needs conversion at 1.7.
# Really:  EncodeVersion has a list of the types of each version, and cryptographic-asset is on none. It is renamed to
#          "application", without an error, in every version; a machine-learning-model is in versions before 1.5. The
#          bill of materials then counts keys as applications. Encode writes the right type.
# Seen:    2026-11-28, Go 1.26.8, cyclonedx-go v0.12.0
# Output:  Encode: 1.7 [cryptographic-asset machine-learning-model]
#          EncodeVersion 1.7: 1.7 [application machine-learning-model]
#          EncodeVersion 1.4: 1.4 [application application]
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/CycloneDX/cyclonedx-go v0.12.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	cdx "github.com/CycloneDX/cyclonedx-go"
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

func types(encode func(cdx.BOMEncoder, *cdx.BOM) error) string {
	bom := cdx.NewBOM()
	bom.Components = &[]cdx.Component{
		{Type: cdx.ComponentTypeCryptographicAsset, Name: "release key"},
		{Type: cdx.ComponentTypeMachineLearningModel, Name: "model"},
	}
	var b bytes.Buffer
	must(0, encode(cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON), bom))
	var read struct {
		SpecVersion string
		Components  []struct{ Type string }
	}
	must(0, json.Unmarshal(b.Bytes(), &read))
	var all []string
	for _, component := range read.Components {
		all = append(all, component.Type)
	}
	return fmt.Sprint(read.SpecVersion, " ", all)
}

func main() {
	at := func(version cdx.SpecVersion) func(cdx.BOMEncoder, *cdx.BOM) error {
		return func(encoder cdx.BOMEncoder, bom *cdx.BOM) error { return encoder.EncodeVersion(bom, version) }
	}
	want("Encode", types(cdx.BOMEncoder.Encode), "1.7 [cryptographic-asset machine-learning-model]")
	want("EncodeVersion 1.7", types(at(cdx.SpecVersion1_7)), "1.7 [application machine-learning-model]")
	want("EncodeVersion 1.4", types(at(cdx.SpecVersion1_4)), "1.4 [application application]")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
