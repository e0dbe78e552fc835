#!/usr/bin/env bash
# go-containerregistry finds no linux/arm64 image when it is asked for linux/arm64/v8, and reads "arm64" as an
# operating system.
#
# Guess:   "linux/arm64/v8", "linux/arm64" and "arm64" choose the same entry of an index.
# Because: v8 is what plain arm64 means: the table of variants in image-spec begins with it, and containerd, docker
#          and regclient normalize it away. "arm64" alone is taken by "docker pull --platform arm64".
# Really:  variants are compared as text. "linux/arm64/v8" does not match an entry without a variant, as BuildKit
#          writes it for arm64, and the pull fails with "no child with platform". "arm64" parses without an error, as
#          OS "arm64" and no architecture. The other way round, asked for linux/arm64, an entry with v8 does match.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1, containerd/platforms v1.0.0-rc.2
# Output:  asked for linux/arm64/v8, entry linux/arm64: no child
#          asked for linux/arm64, entry linux/arm64/v8: found
#          containerd, asked for linux/arm64/v8, entry linux/arm64: true
#          "arm64": OS "arm64", architecture ""
#          containerd, "arm64": OS "linux", architecture "arm64"
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
	github.com/google/go-containerregistry v0.22.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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

// pull asks a registry for one platform of an index with one entry.
func pull(host, wanted, offered string) string {
	tag := must(name.NewTag(host + "/app:" + strings.ReplaceAll(offered, "/", "-")))
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: must(random.Image(64, 1)), Descriptor: v1.Descriptor{Platform: must(v1.ParsePlatform(offered))}})
	must(0, remote.WriteIndex(tag, index))
	_, err := remote.Image(tag, remote.WithPlatform(*must(v1.ParsePlatform(wanted))))
	switch {
	case err == nil:
		return "found"
	case strings.Contains(err.Error(), "no child with platform"):
		return "no child"
	}
	return err.Error()
}

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	want("asked for linux/arm64/v8, entry linux/arm64", pull(host, "linux/arm64/v8", "linux/arm64"), "no child")
	want("asked for linux/arm64, entry linux/arm64/v8", pull(host, "linux/arm64", "linux/arm64/v8"), "found")
	want("containerd, asked for linux/arm64/v8, entry linux/arm64",
		platforms.NewMatcher(platforms.MustParse("linux/arm64/v8")).Match(platforms.MustParse("linux/arm64")), true)

	word := must(v1.ParsePlatform("arm64"))
	want(`"arm64"`, fmt.Sprintf("OS %q, architecture %q", word.OS, word.Architecture), `OS "arm64", architecture ""`)
	other := platforms.MustParse("arm64")
	want(`containerd, "arm64"`, fmt.Sprintf("OS %q, architecture %q", other.OS, other.Architecture), `OS "linux", architecture "arm64"`)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
