#!/usr/bin/env bash
# "buildx build --output type=registry,name=A,name=B" pushes B alone, and an option with a typing error is accepted.
#
# Guess:   a repeated "name" adds a name, as a repeated "--tag" does, or is an error. So is the option "compresion=zstd".
# Because: a list of names in one value needs quotes inside the argument, a comma without them is an error, and so is an
#          option that the command line does not know.
# Really:  the pairs go into a map, where the last one wins, for "ref" of a cache too. Names of options are not checked here,
#          and BuildKit v0.34.2 takes an option it does not know for metadata (read in its source, not run here).
#          So only one of two registries (regions) is left to push to, and nothing asks for zstd.
# Seen:    2026-12-01, Go 1.26.8, buildx v0.38.2 (util/buildflags, which reads the arguments of the command)
# Output:  two names: map[name:eu.example.com/app:1]
#          two names in quotes: map[name:us.example.com/app:1,eu.example.com/app:1]
#          two names without quotes: invalid value eu.example.com/app:1
#          typing error: map[compresion:zstd name:us.example.com/app:1]
#          two cache references: map[ref:eu.example.com/cache]
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/docker/buildx v0.38.2
)
EOM
cat > main.go <<'EOM'
package main

import (
	"fmt"
	"os"

	"github.com/docker/buildx/util/buildflags"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func output(value string) any {
	entries, err := buildflags.ParseExports([]string{value})
	if err != nil {
		return err
	}
	return entries[0].Attrs
}

func cache(value string) any {
	entries, err := buildflags.ParseCacheEntry([]string{value})
	if err != nil {
		return err
	}
	return entries[0].Attrs
}

func main() {
	want("two names", output("type=registry,name=us.example.com/app:1,name=eu.example.com/app:1"), "map[name:eu.example.com/app:1]")
	want("two names in quotes", output(`type=registry,"name=us.example.com/app:1,eu.example.com/app:1"`),
		"map[name:us.example.com/app:1,eu.example.com/app:1]")
	want("two names without quotes", output("type=registry,name=us.example.com/app:1,eu.example.com/app:1"),
		"invalid value eu.example.com/app:1")
	want("typing error", output("type=registry,name=us.example.com/app:1,compresion=zstd"),
		"map[compresion:zstd name:us.example.com/app:1]")
	want("two cache references", cache("type=registry,ref=us.example.com/cache,ref=eu.example.com/cache"), "map[ref:eu.example.com/cache]")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
