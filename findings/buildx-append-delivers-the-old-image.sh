#!/usr/bin/env bash
# "docker buildx imagetools create --append" of an image that was built again changes nothing for those who pull.
#
# Guess:   after "imagetools create --append -t app:1 app:1-arm64-fixed", a pull of app:1 on arm64 takes the fixed image,
#          or the command refuses a second image for linux/arm64. What else the list has stays.
# Because: a list has one image for each platform, and the image that the command line names is the one that is wanted.
# Really:  the new image is a second entry for the platform, behind the old one, and clients take the first. "inspect"
#          shows the fixed image, and the old one is delivered. The annotations of the list itself are gone, without a
#          message.
# Seen:    2026-11-30, Go 1.26.8, buildx v0.38.2 (util/imagetools, which the command calls), containerd v2.4.2,
#          go-containerregistry v0.22.1
# Output:  entries before: amd64 arm64
#          annotations of the list before: 1
#          entries after: amd64 arm64 arm64
#          annotations of the list after: 0
#          crane pulls on arm64: the old image
#          containerd pulls on arm64: the old image
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/containerd/containerd/v2 v2.4.2
	github.com/containerd/platforms v1.0.0-rc.5
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

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
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
	"github.com/moby/buildkit/util/contentutil"
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
	ctx := context.Background()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	app := strings.TrimPrefix(server.URL, "http://") + "/app:"
	list := func() (architectures string, annotations int) {
		var index v1.IndexManifest
		must(0, json.Unmarshal(must(crane.Manifest(app+"1")), &index))
		var found []string
		for _, entry := range index.Manifests {
			found = append(found, entry.Platform.Architecture)
		}
		return strings.Join(found, " "), len(index.Annotations)
	}
	build(app+"1-amd64", "amd64", true)
	old := build(app+"1-arm64", "arm64", true)
	create(app+"1", []string{"index:org.opencontainers.image.version=1"}, app+"1-amd64", app+"1-arm64")
	architectures, annotations := list()
	want("entries before", architectures, "amd64 arm64")
	want("annotations of the list before", annotations, 1)

	fixed := build(app+"1-arm64-fixed", "arm64", true)
	create(app+"1", nil, app+"1", app+"1-arm64-fixed")
	architectures, annotations = list()
	want("entries after", architectures, "amd64 arm64 arm64")
	want("annotations of the list after", annotations, 0)

	which := func(config string) string {
		switch config {
		case must(old.ConfigName()).String():
			return "the old image"
		case must(fixed.ConfigName()).String():
			return "the fixed image"
		}
		return config
	}
	pulled := must(crane.Pull(app+"1", crane.WithPlatform(&v1.Platform{OS: "linux", Architecture: "arm64"})))
	want("crane pulls on arm64", which(must(pulled.ConfigName()).String()), "the old image")
	r := resolver()
	_, descriptor, err := r.Resolve(ctx, app+"1")
	must(0, err)
	manifest := must(images.Manifest(ctx, contentutil.FromFetcher(must(r.Fetcher(ctx, app+"1"))), descriptor, platforms.Only(platforms.MustParse("linux/arm64"))))
	want("containerd pulls on arm64", which(manifest.Config.Digest.String()), "the old image")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
