#!/usr/bin/env bash
# "crane mutate --label" deletes the start interval of a health check, and all of a config that its Go types do not know.
#
# Guess:   the label is set. HEALTHCHECK --start-interval stays, and so do members of one's own in the config.
# Because: one field is edited, layers keep their bytes, and OCI's specification lets a config have further members, which
#          implementations have to ignore. --start-interval is in Docker since version 25 (2024).
# Really:  the config is read into Go types and written from them. They have no StartInterval, and keep nothing that they do
#          not know: gone, with exit code 0. Without it, docker checks a starting container every 5 seconds, whatever the
#          image said. "crane append" and "crane rebase" take the same way; "crane copy" and "crane tag" do not.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1 (pkg/v1/mutate and pkg/crane, which the commands call)
# Output:  before: Interval StartInterval StartPeriod Test, com.example.build
#          after crane mutate --label: Interval StartPeriod Test
#          after crane append: Interval StartPeriod Test
#          after crane copy: Interval StartInterval StartPeriod Test, com.example.build
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
	github.com/spf13/cobra v1.10.2
)
EOF
cat > main.go <<'EOF'
package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/spf13/cobra"
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

// edited is an image without layers whose config has this text.
type edited struct {
	v1.Image
	config []byte
}

func (e edited) RawConfigFile() ([]byte, error)            { return e.config, nil }
func (e edited) ConfigFile() (*v1.ConfigFile, error)       { return partial.ConfigFile(e) }
func (e edited) ConfigName() (v1.Hash, error)              { return partial.ConfigName(e) }
func (e edited) Digest() (v1.Hash, error)                  { return partial.Digest(e) }
func (e edited) Manifest() (*v1.Manifest, error)           { return partial.Manifest(e) }
func (e edited) LayerByDigest(h v1.Hash) (v1.Layer, error) { return partial.ConfigLayer(e) }
func (e edited) RawManifest() ([]byte, error) {
	manifest, err := e.Image.Manifest()
	if err != nil {
		return nil, err
	}
	manifest = manifest.DeepCopy()
	manifest.Config.Digest, manifest.Config.Size, err = v1.SHA256(strings.NewReader(string(e.config)))
	if err != nil {
		return nil, err
	}
	return json.Marshal(manifest)
}

// run runs a command of crane.
func run(command *cobra.Command, args ...string) {
	command.SetArgs(args)
	command.SetOut(io.Discard)
	must(0, command.Execute())
}

func members(image string) string {
	var config struct {
		Config struct{ Healthcheck map[string]any }
		Build  any `json:"com.example.build"`
	}
	must(0, json.Unmarshal(must(crane.Config(image)), &config))
	found := strings.Join(slices.Sorted(maps.Keys(config.Config.Healthcheck)), " ")
	if config.Build != nil {
		found += ", com.example.build"
	}
	return found
}

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	app := strings.TrimPrefix(server.URL, "http://") + "/app:"
	image := edited{empty.Image, []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
		"com.example.build":7, "config":{"Cmd":["/server"],"Healthcheck":{"Test":["CMD","/server","--check"],
		"Interval":30000000000,"StartPeriod":60000000000,"StartInterval":1000000000}}}`)}
	must(0, crane.Push(image, app+"1"))
	const all = "Interval StartInterval StartPeriod Test, com.example.build"
	want("before", members(app+"1"), all)
	run(cmd.NewCmdMutate(&[]crane.Option{}), "--label", "a=b", "--tag", app+"mutated", app+"1")
	want("after crane mutate --label", members(app+"mutated"), "Interval StartPeriod Test")

	file := must(os.Create("layer.tar"))
	must(0, tar.NewWriter(file).Close())
	must(0, file.Close())
	run(cmd.NewCmdAppend(&[]crane.Option{}), "--base", app+"1", "--new_layer", "layer.tar", "--new_tag", app+"appended")
	want("after crane append", members(app+"appended"), "Interval StartPeriod Test")
	run(cmd.NewCmdCopy(&[]crane.Option{}), app+"1", app+"copied")
	want("after crane copy", members(app+"copied"), all)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
