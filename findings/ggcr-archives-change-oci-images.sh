#!/usr/bin/env bash
# "crane pull" into an archive and "crane push" of it turn an OCI image into another one: other digest, no annotations.
#
# Guess:   an image that is carried over an air gap with "crane pull HOST/app:1 app.tar" and "crane push app.tar
#          OTHER/app:1" is the image that it was. Its digest, and so its signature, is still right.
# Because: both commands are of one program, the archive keeps the layers compressed, bit for bit, and for an image in
#          Docker's format the digest does stay.
# Really:  the default format is that of "docker save", which holds no manifest. Push writes one, in Docker's format: media
#          types and annotations of an OCI image are gone, config and layers are the same. What refers to the digest
#          (signatures, SBOMs, deployments) does not fit. No message. --format oci keeps the manifest.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1
# Output:  Docker image through tarball: digest equal: true, annotations: 0, media type: docker
#          OCI image through tarball: digest equal: false, annotations: 0, media type: docker
#          OCI image through tarball: config and layers equal: true
#          OCI image through oci: digest equal: true, annotations: 1, media type: oci
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
	"io"
	"log"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
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

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	docker := must(random.Image(100, 2))
	scratch := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	oci := must(mutate.AppendLayers(scratch, must(random.Layer(100, types.OCILayer))))
	oci = mutate.Annotations(oci, map[string]string{"org.opencontainers.image.version": "1"}).(v1.Image)

	// carry pulls and pushes as the commands do.
	carry := func(image v1.Image, format string) (v1.Image, string) {
		must(0, crane.Push(image, host+"/app:1"))
		pulled := must(crane.Pull(host + "/app:1"))
		var loaded v1.Image
		if format == "tarball" {
			must(0, crane.Save(pulled, host+"/app:1", "app.tar"))
			loaded = must(crane.Load("app.tar"))
		} else {
			must(0, crane.SaveOCI(pulled, "layout"))
			loaded = must(must(layout.ImageIndexFromPath("layout")).Image(must(pulled.Digest())))
		}
		must(0, crane.Push(loaded, host+"/carried:1"))
		arrived := must(crane.Pull(host + "/carried:1"))
		kind := "oci"
		if must(arrived.MediaType()) == types.DockerManifestSchema2 {
			kind = "docker"
		}
		return arrived, fmt.Sprintf("digest equal: %v, annotations: %d, media type: %s",
			must(arrived.Digest()) == must(image.Digest()), len(must(arrived.Manifest()).Annotations), kind)
	}
	content := func(image v1.Image) (digests []v1.Hash) {
		manifest := must(image.Manifest())
		for _, one := range append([]v1.Descriptor{manifest.Config}, manifest.Layers...) {
			digests = append(digests, one.Digest)
		}
		return digests
	}
	_, outcome := carry(docker, "tarball")
	want("Docker image through tarball", outcome, "digest equal: true, annotations: 0, media type: docker")
	arrived, outcome := carry(oci, "tarball")
	want("OCI image through tarball", outcome, "digest equal: false, annotations: 0, media type: docker")
	want("OCI image through tarball", fmt.Sprint("config and layers equal: ", reflect.DeepEqual(content(arrived), content(oci))),
		"config and layers equal: true")
	_, outcome = carry(oci, "oci")
	want("OCI image through oci", outcome, "digest equal: true, annotations: 1, media type: oci")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
