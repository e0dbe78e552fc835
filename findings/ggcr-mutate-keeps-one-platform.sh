#!/usr/bin/env bash
# "crane mutate" and "crane append" of a multi-platform image make an image for linux/amd64 alone, without a message.
#
# Guess:   "crane mutate --label a=b -t app:2 app:1" sets the label in the images of all platforms, or refuses an index,
#          as "crane mutate --annotation" and "crane rebase" do.
# Because: the help says of --platform that the default is all, and "crane flatten" and "crane copy" do go through all
#          images of an index.
# Really:  the index is replaced with its image for linux/amd64, exit code 0. Pushed to the tag that it came from, it
#          takes the other platforms away from everyone: arm64 machines pull the amd64 image. An index without
#          linux/amd64 is an error.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1 (its crane command)
# Output:  --platform: (default all)
#          app:1: index of linux/amd64 linux/arm64
#          crane mutate --label: <nil>; image for linux/amd64
#          crane append: <nil>; image for linux/amd64
#          crane flatten: <nil>; index of linux/amd64 linux/arm64
#          crane mutate --annotation: mutating annotations on an index is not yet supported
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
	"log"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var host string

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

// crane runs the crane command.
func crane(args ...string) error {
	command := cmd.New("crane", "copy images", nil)
	command.SetArgs(args)
	command.SetOut(io.Discard)
	command.SetErr(io.Discard)
	return command.Execute()
}

// image is a small one for a platform.
func image(platform v1.Platform) v1.Image {
	image := must(random.Image(100, 1))
	config := must(image.ConfigFile()).DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	return must(mutate.ConfigFile(image, config))
}

// kind says what a tag is now.
func kind(tag string) string {
	found := must(remote.Get(must(name.ParseReference(host + "/app:" + tag))))
	if !found.MediaType.IsIndex() {
		config := must(must(found.Image()).ConfigFile())
		return "image for " + config.Platform().String()
	}
	var platforms []string
	for _, entry := range must(must(found.ImageIndex()).IndexManifest()).Manifests {
		platforms = append(platforms, entry.Platform.String())
	}
	return "index of " + strings.Join(platforms, " ")
}

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host = strings.TrimPrefix(server.URL, "http://")
	index := v1.ImageIndex(empty.Index)
	for _, architecture := range []string{"amd64", "arm64"} {
		platform := v1.Platform{OS: "linux", Architecture: architecture}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image(platform), Descriptor: v1.Descriptor{Platform: &platform}})
	}
	must(0, remote.WriteIndex(must(name.ParseReference(host+"/app:1")), index))

	usage := cmd.New("crane", "copy images", nil).PersistentFlags().FlagUsages()
	want("--platform", regexp.MustCompile(`--platform .*(\(default [^)]*\))`).FindStringSubmatch(usage)[1], "(default all)")
	want("app:1", kind("1"), "index of linux/amd64 linux/arm64")
	want("crane mutate --label", fmt.Sprint(crane("mutate", "--label", "a=b", "-t", host+"/app:label", host+"/app:1"), "; ", kind("label")),
		"<nil>; image for linux/amd64")
	// Any archive of files can be appended.
	want("crane append", fmt.Sprint(crane("append", "-f", "files.tar", "-b", host+"/app:1", "-t", host+"/app:more"), "; ", kind("more")),
		"<nil>; image for linux/amd64")
	want("crane flatten", fmt.Sprint(crane("flatten", "-t", host+"/app:flat", host+"/app:1"), "; ", kind("flat")),
		"<nil>; index of linux/amd64 linux/arm64")
	want("crane mutate --annotation", crane("mutate", "--annotation", "a=b", "-t", host+"/app:note", host+"/app:1"),
		"mutating annotations on an index is not yet supported")
}
EOF
echo text > file
tar cf files.tar file
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding > out 2> err || { cat out err; exit 1; }
cat out
