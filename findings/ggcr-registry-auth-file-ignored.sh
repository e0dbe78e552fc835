#!/usr/bin/env bash
# go-containerregistry (crane, ko) ignores REGISTRY_AUTH_FILE as soon as a Docker config.json exists.
#
# Guess:   REGISTRY_AUTH_FILE names the file with the credentials, and it is read.
# Because: that is what the variable means to Podman, Skopeo and Buildah (containers-auth.json(5)), an explicit
#          variable usually beats a default file, and go-containerregistry says that it supports Podman's file.
# Really:  the variable counts only where no config.json of Docker exists. An empty object in ~/.docker/config.json,
#          as "docker logout" or any docker plugin leaves it, makes every request anonymous. No error, no warning.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1
# Output:  without ~/.docker/config.json: user robot
#          with {} in ~/.docker/config.json: anonymous
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
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
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

func who() string {
	found := must(authn.DefaultKeychain.Resolve(must(name.NewRegistry("registry.example.com"))))
	if found == authn.Anonymous {
		return "anonymous"
	}
	return "user " + must(found.Authorization()).Username
}

func main() {
	home := os.Getenv("HOME")
	auths := []byte(`{"auths": {"registry.example.com": {"auth": "cm9ib3Q6ZXhhbXBsZQ=="}}}`) // robot:example
	if err := os.WriteFile(os.Getenv("REGISTRY_AUTH_FILE"), auths, 0o600); err != nil {
		panic(err)
	}
	want("without ~/.docker/config.json", who(), "user robot")

	if err := os.Mkdir(filepath.Join(home, ".docker"), 0o700); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte("{}"), 0o600); err != nil {
		panic(err)
	}
	want("with {} in ~/.docker/config.json", who(), "anonymous")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u DOCKER_AUTH_CONFIG -u DOCKER_CONFIG HOME="$dir" REGISTRY_AUTH_FILE="$dir/auth.json" ./finding
