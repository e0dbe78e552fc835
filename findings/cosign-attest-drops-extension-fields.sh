#!/usr/bin/env bash
# "cosign attest --type slsaprovenance1" signs another predicate than the file: extension fields are left out.
#
# Guess:   the statement that is signed has the content of --predicate FILE. What cosign does not know is kept, or the
#          command fails.
# Because: the help says "path to the predicate file", cosign refuses a predicate without its required fields, and
#          SLSA allows extension fields in every object of a provenance ("<vendor>_<fieldname>"): consumers have to
#          ignore those that they do not know. A signer is no consumer.
# Really:  with the names of types (slsaprovenance1, slsaprovenance, slsaprovenance02), the file is read into the types
#          of in-toto and written from them. Unknown fields are dropped on purpose (DiscardUnknown), the time zone of
#          times too, without a message: a policy that asks for such a field fails on the signed statement, and on the
#          file it passes. With the URI of the same type, --type https://slsa.dev/provenance/v1, all of it stays.
# Seen:    2026-11-30, Go 1.26.8, cosign v3.1.3 (pkg/cosign/attestation, which attest and attest-blob call)
# Output:  the file: 4 acme fields, started 2026-11-30T10:00:00+01:00
#          signed with --type slsaprovenance1: 0 acme fields, started 2026-11-30T09:00:00Z
#          signed with --type https://slsa.dev/provenance/v1: 4 acme fields, started 2026-11-30T10:00:00+01:00
#          type of both statements: https://slsa.dev/provenance/v1
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/sigstore/cosign/v3 v3.1.3
)
EOF
cat > main.go <<'EOF'
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/sigstore/cosign/v3/pkg/cosign/attestation"
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

const (
	uri  = "https://slsa.dev/provenance/v1"
	file = `{
  "buildDefinition": {"buildType": "https://example.com/build/v1", "externalParameters": {"ref": "v1.2"}, "acme_queue": "release"},
  "runDetails": {"builder": {"id": "https://example.com/builder", "acme_hermetic": true},
    "metadata": {"invocationId": "7", "startedOn": "2026-11-30T10:00:00+01:00", "acme_approvedBy": "two people"}},
  "acme_license": "checked"}`
)

// describe returns what a predicate has of the extension fields of acme, and the time.
func describe(predicate []byte) string {
	var p struct {
		RunDetails struct{ Metadata struct{ StartedOn string } }
	}
	must(0, json.Unmarshal(predicate, &p))
	return fmt.Sprintf("%d acme fields, started %s", strings.Count(string(predicate), `"acme_`), p.RunDetails.Metadata.StartedOn)
}

func main() {
	statement := func(kind string) (predicateType string, predicate []byte) {
		generated := must(attestation.GenerateStatement(attestation.GenerateOpts{
			Predicate: strings.NewReader(file), Type: kind, Digest: strings.Repeat("0", 64), Repo: "registry.example/app"}))
		// This is what cosign signs.
		var s struct {
			PredicateType string
			Predicate     json.RawMessage
		}
		must(0, json.Unmarshal(must(generated.MarshalJSON()), &s))
		return s.PredicateType, s.Predicate
	}
	want("the file", describe([]byte(file)), "4 acme fields, started 2026-11-30T10:00:00+01:00")
	byName, named := statement("slsaprovenance1")
	want("signed with --type slsaprovenance1", describe(named), "0 acme fields, started 2026-11-30T09:00:00Z")
	byURI, identified := statement(uri)
	want("signed with --type "+uri, describe(identified), "4 acme fields, started 2026-11-30T10:00:00+01:00")
	if byName != byURI {
		byURI = byName + " and " + byURI
	}
	want("type of both statements", byURI, uri)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
