#!/usr/bin/env bash
# "docker buildx imagetools create --annotation" drops all annotations if the images are in Docker's format.
#
# Guess:   --annotation "index:org.opencontainers.image.version=1.2" is in the list that is pushed, or the command fails,
#          as it does for the kinds of annotations that it does not support.
# Because: the list is a new one, and buildx writes indexes of OCI too. Its documentation shows this command without a
#          word on formats.
# Really:  if every source has a media type of Docker, the list gets one too, and annotations are skipped, with exit code
#          0 and no message. With one source in OCI's format they are there. A list in Docker's format as the only
#          source is written again without them.
# Seen:    2026-11-30, Go 1.26.8, buildx v0.38.2 (util/imagetools, which the command calls), go-containerregistry v0.22.1
# Output:  two images in OCI's format: version 1.2, descriptors with a note 2
#          one of them in Docker's format: version 1.2, descriptors with a note 2
#          both in Docker's format: version none, descriptors with a note 0
#          that list alone as the source: version none, descriptors with a note 0
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/docker/buildx v0.38.2
	github.com/docker/cli v29.8.2+incompatible
	github.com/google/go-containerregistry v0.22.1
	github.com/moby/buildkit v0.34.2
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/docker/buildx/util/buildflags"
	"github.com/docker/buildx/util/imagetools"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/session/auth/authprovider"
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

func resolver() *imagetools.Resolver {
	return imagetools.New(imagetools.Opt{Auth: authprovider.LoadAuthConfig(configfile.New(""))})
}

// create does what "docker buildx imagetools create" does, with --annotation for each annotation. For --append, the
// command puts the list itself before the sources.
func create(list string, annotations []string, sources ...string) {
	ctx := context.Background()
	r := resolver()
	var from []*imagetools.Source
	for _, source := range sources {
		location := must(imagetools.ParseLocation(source))
		_, descriptor, err := r.Resolve(ctx, location.String())
		must(0, err)
		from = append(from, &imagetools.Source{Desc: descriptor, Ref: location})
	}
	data, descriptor, _, err := r.Combine(ctx, from, must(buildflags.ParseAnnotations(annotations)), true, nil)
	must(0, err)
	must(0, r.Push(ctx, must(imagetools.ParseLocation(list)), descriptor, data))
}

// build pushes a new image of a platform in the format of OCI or of Docker, and returns it.
func build(name, architecture string, oci bool) v1.Image {
	image := must(random.Image(100, 1))
	config := must(image.ConfigFile()).DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	image = must(mutate.ConfigFile(image, config))
	if oci {
		image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	must(0, crane.Push(image, name))
	return image
}

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	app := strings.TrimPrefix(server.URL, "http://") + "/app:"
	annotated := func(sources ...string) string {
		create(app+"list", []string{"index:org.opencontainers.image.version=1.2", "manifest-descriptor:note=example"}, sources...)
		var list v1.IndexManifest
		must(0, json.Unmarshal(must(crane.Manifest(app+"list")), &list))
		notes := 0
		for _, entry := range list.Manifests {
			if entry.Annotations["note"] == "example" {
				notes++
			}
		}
		version := list.Annotations["org.opencontainers.image.version"]
		if version == "" {
			version = "none"
		}
		return fmt.Sprintf("version %s, descriptors with a note %d", version, notes)
	}
	build(app+"oci-amd64", "amd64", true)
	build(app+"oci-arm64", "arm64", true)
	build(app+"docker-amd64", "amd64", false)
	build(app+"docker-arm64", "arm64", false)
	want("two images in OCI's format", annotated(app+"oci-amd64", app+"oci-arm64"), "version 1.2, descriptors with a note 2")
	want("one of them in Docker's format", annotated(app+"oci-amd64", app+"docker-arm64"), "version 1.2, descriptors with a note 2")
	want("both in Docker's format", annotated(app+"docker-amd64", app+"docker-arm64"), "version none, descriptors with a note 0")
	want("that list alone as the source", annotated(app+"list"), "version none, descriptors with a note 0")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
