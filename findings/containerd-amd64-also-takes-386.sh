#!/usr/bin/env bash
# containerd's "only amd64" also matches 386, and "only arm64" matches arm/v6; but not the newer variants of
# themselves.
#
# Guess:   platforms.Only(linux/amd64) matches images for linux/amd64. An index with 386 only has nothing for it, and
#          the pull fails.
# Because: the name, and --platform linux/amd64 is what users write to get that architecture. Only's comment speaks of
#          variants.
# Really:  Only builds a list of what the CPU could run, in order of preference, and 32-bit x86 is on it for amd64, as
#          all 32-bit ARM variants are for arm64. "--platform linux/amd64" can so end with a 32-bit image, no error.
#          amd64/v2 is not on amd64's list. OnlyStrict does what the guess says.
# Seen:    2026-11-28, Go 1.26.8, containerd/platforms v1.0.0-rc.2
# Output:  Only(linux/amd64) matches linux/386: true
#          Only(linux/arm64) matches linux/arm/v6: true
#          Only(linux/amd64) matches linux/amd64/v2: false
#          OnlyStrict(linux/amd64) matches linux/386: false
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/containerd/platforms v1.0.0-rc.2
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"github.com/containerd/platforms"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func main() {
	for _, c := range []struct {
		wanted, offered string
		matches         bool
	}{
		{"linux/amd64", "linux/386", true},
		{"linux/arm64", "linux/arm/v6", true},
		{"linux/amd64", "linux/amd64/v2", false},
	} {
		got := platforms.Only(platforms.MustParse(c.wanted)).Match(platforms.MustParse(c.offered))
		want(fmt.Sprintf("Only(%s) matches %s", c.wanted, c.offered), got, c.matches)
	}
	want("OnlyStrict(linux/amd64) matches linux/386",
		platforms.OnlyStrict(platforms.MustParse("linux/amd64")).Match(platforms.MustParse("linux/386")), false)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
