#!/usr/bin/env bash
# goccy/go-yaml reads an unquoted digest, or HOST:PORT/NAME, as a map when it is in a [list] inside of {braces}.
#
# Guess:   "{digests: [sha256:ab]}" has a list of one string. A colon ends a plain key only when a space follows, or
#          when the key is quoted.
# Because: YAML 1.2 (7.3.3) says so for flow collections too, yaml.v3 does it, and this library itself does it in
#          "[sha256:ab]" alone, in "{digest: sha256:ab}" and in block lists.
# Really:  inside of braces the list has a map {sha256: ab}. Decoding into a []string fails with a message about maps;
#          decoding into any is silent, and so is a list of image names with a port.
# Seen:    2026-11-29, Go 1.26.8, goccy/go-yaml v1.19.2, go.yaml.in/yaml/v3 v3.0.5
# Output:  [sha256:ab]                goccy [sha256:ab]                        yaml.v3 [sha256:ab]
#          {digest: sha256:ab}        goccy map[digest:sha256:ab]              yaml.v3 map[digest:sha256:ab]
#          {digests: [sha256:ab]}     goccy map[digests:[map[sha256:ab]]]      yaml.v3 map[digests:[sha256:ab]]
#          {images: [h:5000/a, b]}    goccy map[images:[map[h:5000/a] b]]      yaml.v3 map[images:[h:5000/a b]]
#          {digests: ["sha256:ab"]}   goccy map[digests:[sha256:ab]]           yaml.v3 map[digests:[sha256:ab]]
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require (
	github.com/goccy/go-yaml v1.19.2
	go.yaml.in/yaml/v3 v3.0.5
)
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"reflect"

	"github.com/goccy/go-yaml"
	yamlv3 "go.yaml.in/yaml/v3"
)

func main() {
	differ := 0
	for _, text := range []string{
		"[sha256:ab]", "{digest: sha256:ab}", "{digests: [sha256:ab]}", "{images: [h:5000/a, b]}", `{digests: ["sha256:ab"]}`,
	} {
		var ours, other any
		if err := yaml.Unmarshal([]byte(text), &ours); err != nil {
			panic(err)
		}
		if err := yamlv3.Unmarshal([]byte(text), &other); err != nil {
			panic(err)
		}
		fmt.Printf("%-26s goccy %-34s yaml.v3 %v\n", text, fmt.Sprint(ours), other)
		if !reflect.DeepEqual(fmt.Sprint(ours), fmt.Sprint(other)) {
			differ++
		}
	}
	if differ != 2 {
		fmt.Println("the behaviour has changed:", differ, "differ, not 2")
		os.Exit(1)
	}
}
GO
go mod tidy 2>/dev/null
go run .
