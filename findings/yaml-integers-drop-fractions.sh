#!/usr/bin/env bash
# YAML libraries for Go read 1.5 into an integer as 1, and -0.5 as 0, without an error.
#
# Guess:   a fraction where the Go type is an integer is an error, as for other wrong types.
# Because: encoding/json refuses it, and both libraries refuse texts, booleans and numbers that are too large.
# Really:  goccy/go-yaml, which reads the configuration of regsync, and yaml.v3 drop what follows the point, goccy even
#          of a text in quotes. Options for strict reading change nothing. A policy that asks for 1.5 signatures
#          accepts one, and a limit of 0.9 is 0. sigs.k8s.io/yaml, which goes through JSON, refuses.
# Seen:    2026-11-29, Go 1.26.8, goccy/go-yaml v1.19.2, yaml.v3 v3.0.1, go.yaml.in/yaml/v3 v3.0.5, sigs.k8s.io/yaml v1.6.0
# Output:  goccy/go-yaml        1.5: 1  -0.5: 0  "2.9": 2  true: refused
#          gopkg.in/yaml.v3     1.5: 1  -0.5: 0  "2.9": refused  true: refused
#          go.yaml.in/yaml/v3   1.5: 1  -0.5: 0  "2.9": refused  true: refused
#          sigs.k8s.io/yaml     1.5: refused  -0.5: refused  "2.9": refused  true: refused
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
	gopkg.in/yaml.v3 v3.0.1
	sigs.k8s.io/yaml v1.6.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	next "go.yaml.in/yaml/v3"
	v3 "gopkg.in/yaml.v3"
	k8s "sigs.k8s.io/yaml"
)

type policy struct {
	Threshold int `yaml:"threshold" json:"threshold"`
}

func main() {
	changed := false
	for _, library := range []struct {
		name string
		read func([]byte, *policy) error
		want string
	}{
		{"goccy/go-yaml", func(b []byte, p *policy) error { return yaml.UnmarshalWithOptions(b, p, yaml.Strict()) }, `1.5: 1  -0.5: 0  "2.9": 2  true: refused`},
		{"gopkg.in/yaml.v3", func(b []byte, p *policy) error {
			d := v3.NewDecoder(bytes.NewReader(b))
			d.KnownFields(true)
			return d.Decode(p)
		}, `1.5: 1  -0.5: 0  "2.9": refused  true: refused`},
		{"go.yaml.in/yaml/v3", func(b []byte, p *policy) error {
			d := next.NewDecoder(bytes.NewReader(b))
			d.KnownFields(true)
			return d.Decode(p)
		}, `1.5: 1  -0.5: 0  "2.9": refused  true: refused`},
		{"sigs.k8s.io/yaml", func(b []byte, p *policy) error { return k8s.UnmarshalStrict(b, p) }, `1.5: refused  -0.5: refused  "2.9": refused  true: refused`},
	} {
		var got []string
		for _, text := range []string{"1.5", "-0.5", `"2.9"`, "true"} {
			var p policy
			if err := library.read([]byte("threshold: "+text+"\n"), &p); err != nil {
				got = append(got, text+": refused")
			} else {
				got = append(got, fmt.Sprintf("%s: %d", text, p.Threshold))
			}
		}
		fmt.Printf("%-20s %s\n", library.name, strings.Join(got, "  "))
		changed = changed || strings.Join(got, "  ") != library.want
	}
	if changed {
		fmt.Println("CHANGED")
		os.Exit(1)
	}
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
