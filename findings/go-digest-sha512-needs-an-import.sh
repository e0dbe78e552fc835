#!/usr/bin/env bash
# go-digest calls a valid sha512 digest "unsupported" unless some package of the program happens to import
# crypto/sha512.
#
# Guess:   digest.Parse("sha512:" + 128 hex digits) succeeds. It is a check of syntax; nothing is hashed.
# Because: image-spec registers sha512 beside sha256, the package has the constant SHA512 and its pattern, and the
#          README says that an import is needed so that hashing does not panic; it does not speak of parsing.
# Really:  Parse asks Go's crypto registry whether the hash is linked into the binary. A small tool refuses the
#          digest; the same code in a program that also imports crypto/tls, or just crypto/sha512 for its side effect,
#          takes it. So an import that somebody removes elsewhere changes which manifests are valid.
# Seen:    2026-11-28, Go 1.26.8, go-digest v1.0.0; the program is built twice, with and without the import
# Output:  without crypto/sha512: unsupported digest algorithm
#          with crypto/sha512: <nil>
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > import.go <<'EOF'
//go:build sha512

package main

import _ "crypto/sha512"

func init() { expected, built = "<nil>", "with crypto/sha512" }
EOF
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/opencontainers/go-digest v1.0.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

var expected, built = "unsupported digest algorithm", "without crypto/sha512"

func main() {
	_, err := digest.Parse("sha512:" + strings.Repeat("0a", 64))
	want(built, err, expected)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
go build -tags sha512 -o finding .
./finding
