#!/usr/bin/env bash
# packageurl-go leaves the name of an OCI package URL in upper case, packageurl-js lowers it: one image, two
# identities.
#
# Guess:   both libraries of the package-url project normalize "pkg:oci/App@sha256:…" to the same string, since
#          equality of package URLs is equality of the normalized strings.
# Because: the type definition of "oci" in purl-spec says that the name is not case-sensitive and must be lower case,
#          and both lower the names of other types, such as github.
# Really:  the Go library (SBOM generators and scanners use it) returns the name as it came, the JavaScript library
#          lowers it. An SBOM made with one does not match an advisory or a VEX statement made with the other.
# Seen:    2026-11-28, Go 1.26.8, packageurl-go v0.1.7, packageurl-js 2.0.1, Node.js 20
# Output:  go, pkg:github/Example/App: pkg:github/example/app
#          go, pkg:oci/App@sha256:0a0b: pkg:oci/App@sha256:0a0b
#          js, pkg:oci/App@sha256:0a0b: pkg:oci/app@sha256:0a0b
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/package-url/packageurl-go v0.1.7
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"github.com/package-url/packageurl-go"
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
	for in, out := range map[string]string{
		"pkg:github/Example/App":  "pkg:github/example/app",
		"pkg:oci/App@sha256:0a0b": "pkg:oci/App@sha256:0a0b",
	} {
		parsed := must(packageurl.FromString(in))
		must(0, parsed.Normalize())
		want("go, "+in, parsed.ToString(), out)
	}
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
npm install --silent --no-audit --no-fund --prefix "$dir" packageurl-js@2.0.1 > npm.log 2>&1 || { cat npm.log; exit 1; }
cat > check.js <<'EOF'
const { PackageURL } = require('packageurl-js')
console.log(PackageURL.fromString('pkg:oci/App@sha256:0a0b').toString())
EOF
js=$(node check.js)
echo "js, pkg:oci/App@sha256:0a0b: $js"
if [ "$js" != pkg:oci/app@sha256:0a0b ]; then echo 'CHANGED, expected pkg:oci/app@sha256:0a0b'; exit 1; fi
