#!/usr/bin/env bash
# A multi-platform image that ORAS copies into a layout is one entry for the image and one for each platform: crane does
# not push that layout, or pushes another image.
#
# Guess:   "oras copy --to-oci-layout HOST/app:1 DIR:1" makes an index.json with one entry, the index. "crane push DIR
#          HOST/other:1" pushes it, with the same digest.
# Because: the copy has one reference. The layouts of "crane pull --format=oci", Skopeo and buildx have one entry for
#          such an image, and its platforms are reached through it.
# Really:  oras-go enters each manifest that it stores, platforms and attestations too. "crane push" refuses such a
#          layout and advises --index, with which it pushes index.json itself: an index of the index and of its images,
#          with another digest. Readers that take the only image of a layout find several.
# Seen:    2026-11-30, Go 1.26.8, oras-go v2.7.0 (oras.Copy and content/oci, which the command calls), go-containerregistry
#          v0.22.1
# Output:  entries of the layout by ORAS: 4, with a name 1
#          crane push: layout contains 4 entries, consider --index
#          crane push --index: another digest, entries 4
#          entries of the layout by crane: 1
#          crane push of that: the same digest, entries 3
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
	github.com/opencontainers/image-spec v1.1.1
	github.com/spf13/cobra v1.10.2
	oras.land/oras-go/v2 v2.7.0
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

	"github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	orasremote "oras.land/oras-go/v2/registry/remote"
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

// run runs a command of crane.
func run(command *cobra.Command, args ...string) error {
	command.SetArgs(args)
	command.SetOut(io.Discard)
	command.SilenceUsage, command.SilenceErrors = true, true
	return command.Execute()
}

func entries(dir string) (all, named int) {
	var index specs.Index
	must(0, json.Unmarshal(must(os.ReadFile(dir+"/index.json")), &index))
	for _, entry := range index.Manifests {
		if entry.Annotations[specs.AnnotationRefName] != "" {
			named++
		}
	}
	return len(index.Manifests), named
}

func main() {
	ctx := context.Background()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	image := must(random.Index(100, 1, 3))
	digest := must(image.Digest()).String()
	must(0, remote.WriteIndex(must(name.ParseReference(host+"/app:1")), image))
	pushed := func() string {
		var index specs.Index
		must(0, json.Unmarshal(must(crane.Manifest(host+"/other:1")), &index))
		which := "another digest"
		if must(crane.Digest(host+"/other:1")) == digest {
			which = "the same digest"
		}
		return fmt.Sprintf("%s, entries %d", which, len(index.Manifests))
	}

	repository := must(orasremote.NewRepository(host + "/app"))
	repository.PlainHTTP = true
	must(oras.Copy(ctx, repository, "1", must(oci.New("oras")), "1", oras.DefaultCopyOptions))
	all, named := entries("oras")
	want("entries of the layout by ORAS", fmt.Sprintf("%d, with a name %d", all, named), "4, with a name 1")
	message := "pushed"
	if err := run(cmd.NewCmdPush(&[]crane.Option{}), "oras", host+"/other:1"); err != nil {
		message = err.Error()
	}
	want("crane push", message, "layout contains 4 entries, consider --index")
	must(0, run(cmd.NewCmdPush(&[]crane.Option{}), "--index", "oras", host+"/other:1"))
	want("crane push --index", pushed(), "another digest, entries 4")

	must(0, run(cmd.NewCmdPull(&[]crane.Option{}), "--format=oci", host+"/app:1", "crane"))
	all, _ = entries("crane")
	want("entries of the layout by crane", all, 1)
	must(0, run(cmd.NewCmdPush(&[]crane.Option{}), "crane", host+"/other:1"))
	want("crane push of that", pushed(), "the same digest, entries 3")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
