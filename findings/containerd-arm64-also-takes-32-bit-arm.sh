#!/usr/bin/env bash
# containerd's "only linux/arm64" matches every 32-bit ARM image down to v5, but no newer arm64 than v8.
#
# Guess:   platforms.Only(linux/arm64) matches arm64 images. An index that has only linux/arm/v6 has nothing for it,
#          and a pull with --platform linux/arm64 fails.
# Because: the comment of Only lists what else matches: 386 for amd64, lower variants for each ARM, and for arm64
#          nothing but variants of arm64. Many arm64 servers can't run 32-bit programs at all.
# Really:  arm64 stands for a list of platforms in order of preference, and 32-bit arm v8, v7, v6 and v5 are on it.
#          The pull succeeds with a 32-bit image, and only its first program finds out. OnlyStrict does what the guess
#          says.
# Seen:    2026-11-28, Go 1.26.8, containerd/platforms v1.0.0-rc.2
# Output:  Only(linux/arm64) matches linux/arm/v7: true
#          Only(linux/arm64) matches linux/arm/v5: true
#          Only(linux/arm64) matches linux/arm64/v9: false
#          OnlyStrict(linux/arm64) matches linux/arm/v7: false
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
	arm64 := platforms.MustParse("linux/arm64")
	for _, c := range []struct {
		offered string
		matches bool
	}{
		{"linux/arm/v7", true},
		{"linux/arm/v5", true},
		{"linux/arm64/v9", false},
	} {
		want("Only(linux/arm64) matches "+c.offered, platforms.Only(arm64).Match(platforms.MustParse(c.offered)), c.matches)
	}
	want("OnlyStrict(linux/arm64) matches linux/arm/v7",
		platforms.OnlyStrict(arm64).Match(platforms.MustParse("linux/arm/v7")), false)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
