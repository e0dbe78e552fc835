#!/usr/bin/env bash
# "crane pull" of several images by digest saves one of each repository, by chance.
#
# Guess:   "crane pull app@sha256:A app@sha256:B images.tar" makes an archive with both images, or is refused. Their tag is
#          the documented stand-in "i-was-a-digest", or they have none.
# Because: several images are allowed, by tag all of them are saved, and digests are there to have exactly these images.
#          "docker save" of two images by their IDs has two entries with "RepoTags": null.
# Really:  all images of a repository get the same stand-in, and of images with one name the last stays, in the random
#          order of a Go map. Exit code 0, no message, and another run saves another image. With --format=oci both are
#          there, without names.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1 (crane.MultiSave, which the command calls)
# Output:  two images by tag: entries 2
#          two images by digest: entries 1, tag i-was-a-digest
#          saved in 100 runs: A and B
#          two images by digest, of two repositories: entries 2
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
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

func main() {
	a, b := must(random.Image(10, 1)), must(random.Image(10, 1))
	digest := func(image v1.Image) string { return "@" + must(image.Digest()).String() }
	save := func(images map[string]v1.Image) tarball.Manifest {
		must(0, crane.MultiSave(images, "images.tar"))
		return must(tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open("images.tar") }))
	}
	const app = "registry.example/app"
	want("two images by tag", fmt.Sprint("entries ", len(save(map[string]v1.Image{app + ":a": a, app + ":b": b}))), "entries 2")

	both := map[string]v1.Image{app + digest(a): a, app + digest(b): b}
	saved := save(both)
	want("two images by digest", fmt.Sprintf("entries %d, tag %s", len(saved), saved[0].RepoTags[0][len(app)+1:]), "entries 1, tag i-was-a-digest")
	found := map[string]bool{}
	for range 100 {
		found[save(both)[0].Config] = true
	}
	which := ""
	for _, image := range []struct {
		name string
		v1.Image
	}{{"A", a}, {"B", b}} {
		if found[must(image.ConfigName()).String()] {
			if which != "" {
				which += " and "
			}
			which += image.name
		}
	}
	want("saved in 100 runs", which, "A and B")
	want("two images by digest, of two repositories",
		fmt.Sprint("entries ", len(save(map[string]v1.Image{app + digest(a): a, "registry.example/db" + digest(b): b}))), "entries 2")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
