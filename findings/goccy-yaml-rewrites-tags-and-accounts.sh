#!/usr/bin/env bash
# goccy/go-yaml changes unquoted values on their way into Go strings: tag 1.10 becomes "1.1", account 012345670123
# "1402433619".
#
# Guess:   decoding "tag: 1.10" into a field of type string gives "1.10". If the library took it for a number, it
#          would return an error, since the field is a string.
# Because: go-yaml/yaml, which it was written to replace, hands the characters over as written. A string field says
#          that no number is wanted.
# Really:  the scalar is parsed as a number first, and the number is printed into the string. Trailing zeros go, a
#          leading zero means octal where all digits are below 8, 1_000 becomes 1000. No error, and only some values
#          are hit: 012345678901 stays. A list of tags, of repositories by number, or of AWS accounts silently names
#          others.
# Seen:    2026-11-28, Go 1.26.8, goccy/go-yaml v1.19.2, go.yaml.in/yaml/v3 v3.0.5
# Output:  yaml.v3: [1.10 2024.10 012345670123 012345678901 1_000 1.10.0]
#          goccy/go-yaml: [1.1 2024.1 1402433619 012345678901 1000 1.10.0]
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/goccy/go-yaml v1.19.2
	go.yaml.in/yaml/v3 v3.0.5
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
	yamlv3 "go.yaml.in/yaml/v3"
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
	text := []byte("[1.10, 2024.10, 012345670123, 012345678901, 1_000, 1.10.0]")
	var values []string
	must(0, yamlv3.Unmarshal(text, &values))
	want("yaml.v3", values, "[1.10 2024.10 012345670123 012345678901 1_000 1.10.0]")
	values = nil
	must(0, yaml.Unmarshal(text, &values))
	want("goccy/go-yaml", values, "[1.1 2024.1 1402433619 012345678901 1000 1.10.0]")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
