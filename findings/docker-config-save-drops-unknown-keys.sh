#!/usr/bin/env bash
# Docker's package drops every key of config.json that it does not know when it saves the file. oras-go keeps them.
#
# Guess:   a login or logout changes the entry of one host. The rest of config.json stays as it is.
# Because: several programs write the file (docker, compose, podman, oras, helpers), the format has no list that is
#          closed, and another well-known writer, oras-go, keeps what it does not know.
# Really:  Docker's ConfigFile decodes into a struct and writes the struct. A key of another program, or of a newer
#          Docker, is gone after the next login or logout. Its neighbour keys are kept.
# Seen:    2026-11-28, Go 1.26.8, docker/cli v29.7.2, oras-go v2.7.0
# Output:  oras-go keeps x-example: true
#          docker keeps x-example: false
#          docker keeps psFormat: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/docker/cli v29.7.2+incompatible
	github.com/docker/docker-credential-helpers v0.9.12
	github.com/sirupsen/logrus v1.9.4
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/docker/cli/cli/config"
	"oras.land/oras-go/v2/registry/remote/credentials"
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

func keys() map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(must(os.ReadFile("config.json")), &all); err != nil {
		panic(err)
	}
	return all
}

func main() {
	text := `{"auths": {"registry.example.com": {"auth": "cm9ib3Q6ZXhhbXBsZQ=="}}, "psFormat": "{{.ID}}", "x-example": {"a": 1}}`
	if err := os.WriteFile("config.json", []byte(text), 0o600); err != nil {
		panic(err)
	}
	store := must(credentials.NewStore("config.json", credentials.StoreOptions{}))
	if err := store.Delete(context.Background(), "registry.example.com"); err != nil {
		panic(err)
	}
	want("oras-go keeps x-example", keys()["x-example"] != nil, true)

	if err := os.WriteFile("config.json", []byte(text), 0o600); err != nil {
		panic(err)
	}
	file := must(config.Load("."))
	if err := file.GetCredentialsStore("registry.example.com").Erase("registry.example.com"); err != nil {
		panic(err)
	}
	want("docker keeps x-example", keys()["x-example"] != nil, false)
	want("docker keeps psFormat", keys()["psFormat"] != nil, true)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u DOCKER_AUTH_CONFIG ./finding
