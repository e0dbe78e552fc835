#!/usr/bin/env bash
# An attestation made with in-toto's Go package, or with cosign, has other numbers than the predicate that was passed in.
#
# Guess:   a run ID or a time in nanoseconds, 1796032800123456789, is signed as it stands in the predicate file, and a
#          verified statement shows what was signed.
# Because: in-toto leaves the content of a predicate to its type, JSON sets no limit to integers, Go has int64 and
#          json.Number, and jq 1.7, Python and Go programs that read the file see the whole number. What is signed
#          must be what was checked.
# Really:  the predicate is a google.protobuf.Struct, in which every number is a double. Integers above 2^53 end in other
#          digits, without an error, when a statement is made (cosign attest with any type but "custom") and when one is
#          read: sigstore-go returns the verified statement of another program with digits that nobody signed. IDs and
#          times in nanoseconds are safe as strings only.
# Seen:    2026-11-30, Go 1.26.8, in-toto/attestation v1.2.0, cosign v3.1.3, google.golang.org/protobuf
#          v1.36.12-0.20260120151049-f2248ac996af
# Output:  cosign attest --type https://example.com/run/v1: 1796032800123456800
#          cosign attest --type openvex: 1796032800123456800
#          cosign attest --type custom: 1796032800123456789
#          a signed statement, read and written: 1796032800123456800
#          with encoding/json and json.Number: 1796032800123456789
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/in-toto/attestation v1.2.0
	github.com/sigstore/cosign/v3 v3.1.3
	google.golang.org/protobuf v1.36.12-0.20260120151049-f2248ac996af
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/cosign/v3/pkg/cosign/attestation"
	"google.golang.org/protobuf/encoding/protojson"
)

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

const predicate = `{"run": 1796032800123456789}`

// number returns the number in a statement as it is written there, whether its predicate is an object or a text.
func number(statement []byte) string {
	return regexp.MustCompile(`run\\?": ?([-+0-9.eE]+)`).FindStringSubmatch(string(statement))[1]
}

func main() {
	signed := func(kind string) []byte {
		return must(must(attestation.GenerateStatement(attestation.GenerateOpts{
			Predicate: strings.NewReader(predicate), Type: kind, Digest: strings.Repeat("0", 64), Repo: "registry.example/app"})).MarshalJSON())
	}
	for _, kind := range []string{"https://example.com/run/v1", "openvex"} {
		want("cosign attest --type "+kind, number(signed(kind)), "1796032800123456800")
	}
	want("cosign attest --type custom", number(signed("custom")), "1796032800123456789")

	text := []byte(`{"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "app", "digest": {"sha256": "` + strings.Repeat("0", 64) +
		`"}}], "predicateType": "https://example.com/run/v1", "predicate": ` + predicate + `}`)
	var statement intoto.Statement
	must(0, protojson.Unmarshal(text, &statement))
	must(0, statement.Validate())
	want("a signed statement, read and written", number(must(protojson.Marshal(&statement))), "1796032800123456800")

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	must(0, decoder.Decode(&object))
	want("with encoding/json and json.Number", number(must(json.Marshal(object))), "1796032800123456789")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
