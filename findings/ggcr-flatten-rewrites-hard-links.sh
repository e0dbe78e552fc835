#!/usr/bin/env bash
# go-containerregistry's mutate.Extract (crane export, crane flatten) changes the content of a file that a later layer
# does not touch.
#
# Guess:   the extracted file system is what a container sees: each layer unpacked over the one before.
# Because: that is what the function is for, and image-spec describes layers as changesets that are applied in order.
#          A hard link and its target are one file until a layer replaces one of the two; packages have such pairs
#          (perl and perl5.36.0, git and its commands).
# Really:  layers are read from the last to the first, so that replaced files can be left out, and a hard link is
#          written as it stands in its layer, as a name. If a later layer replaces the target, the link gets the new
#          content. If a later layer deletes the target, the link can't be unpacked any more. No error either way.
# Seen:    2026-11-29, Go 1.26.8, go-containerregistry v0.22.1, GNU tar to unpack
# Output:  layers unpacked in order: link1 "old", link2 "old"
#          extracted: link1 "new", link2 missing
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir first second ordered extracted
printf old > first/replaced
printf old > first/deleted
ln first/replaced first/link1
ln first/deleted first/link2
printf new > second/replaced
touch second/.wh.deleted
tar -cf first.tar -C first replaced deleted link1 link2
tar -cf second.tar -C second replaced .wh.deleted
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
)
EOF
cat > main.go <<'EOF'
// The program writes the file system of an image of two layers to stdout.
package main

import (
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	image := must(mutate.AppendLayers(empty.Image, must(tarball.LayerFromFile("first.tar")), must(tarball.LayerFromFile("second.tar"))))
	must(io.Copy(os.Stdout, mutate.Extract(image)))
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
tar --version | head -1

tar -xf first.tar -C ordered
tar -xf second.tar -C ordered
rm ordered/deleted ordered/.wh.deleted
./finding > image.tar
tar -xf image.tar -C extracted 2> errors || true # link2 has no target
content() { if [ -e "$1" ]; then echo "\"$(cat "$1")\""; else echo missing; fi; }
want() { # directory, what, expected
	local got
	got="link1 $(content "$1/link1"), link2 $(content "$1/link2")"
	echo "$2: $got"
	if [ "$got" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want ordered 'layers unpacked in order' 'link1 "old", link2 "old"'
want extracted extracted 'link1 "new", link2 missing'
