#!/usr/bin/env bash
# "crane rebase" leaves out the first layer of the application if the image's config has no history.
#
# Guess:   a rebased image is the new base with all layers of the application on top, or an error.
# Because: that is what the command is for, it checks that the image begins with the layers of the old base, and history
#          is optional in image-spec. Tools that build without a Dockerfile often write none.
# Really:  which layers belong to the application is found by the history. Without one, counting begins one layer too
#          late: the first layer above the base is missing, and an application of one layer is gone. No error, and the
#          new image is valid. With history all layers arrive. Both images are in Docker's format afterwards, although
#          the three that they were made of are OCI images.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1
# Output:  with history: application layers kept: 1 2 3
#          without history: application layers kept: 2 3
#          without history, one layer: application layers kept: none
#          error: <nil>, valid: <nil>, media type: application/vnd.docker.distribution.manifest.v2+json
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require github.com/google/go-containerregistry v0.22.1
EOM
cat > main.go <<'EOM'
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
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

// build puts random layers on a base.
func build(base v1.Image, layers int, history bool) v1.Image {
	for range layers {
		base = must(mutate.AppendLayers(base, must(random.Layer(100, types.OCILayer))))
	}
	config := must(base.ConfigFile()).DeepCopy()
	if !history {
		config.History = nil
	}
	return must(mutate.ConfigFile(base, config))
}

func digests(image v1.Image) (found []string) {
	for _, layer := range must(image.Layers()) {
		found = append(found, must(layer.Digest()).String())
	}
	return found
}

func rebase(layers int, history bool) (kept string, rebased v1.Image, err error) {
	scratch := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	oldBase, newBase := build(scratch, 2, history), build(scratch, 3, history)
	app := build(oldBase, layers, history)
	rebased, err = mutate.Rebase(app, oldBase, newBase)
	if err != nil {
		return "", nil, err
	}
	var numbers []string
	for i, digest := range digests(app)[2:] {
		if slices.Contains(digests(rebased), digest) {
			numbers = append(numbers, fmt.Sprint(i+1))
		}
	}
	if len(numbers) == 0 {
		numbers = []string{"none"}
	}
	return "application layers kept: " + strings.Join(numbers, " "), rebased, nil
}

func main() {
	kept, _, _ := rebase(3, true)
	want("with history", kept, "application layers kept: 1 2 3")
	kept, _, _ = rebase(3, false)
	want("without history", kept, "application layers kept: 2 3")
	kept, image, err := rebase(1, false)
	want("without history, one layer", kept, "application layers kept: none")
	want("error", fmt.Sprintf("%v, valid: %v, media type: %v", err, validate.Image(image), must(image.MediaType())),
		"<nil>, valid: <nil>, media type: application/vnd.docker.distribution.manifest.v2+json")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
