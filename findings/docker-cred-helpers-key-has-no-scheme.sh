#!/usr/bin/env bash
# Docker matches a key of auths with or without "https://", but a key of credHelpers only without.
#
# Guess:   {"credHelpers": {"https://registry.example.com": "cloud"}} works as {"auths":
#          {"https://registry.example.com": …}} does. If not, something says that the entry is never used.
# Because: the two maps have the same keys in Docker's documentation, and "docker login https://registry.example.com"
#          has written keys with the scheme for years.
# Really:  Docker, go-containerregistry and oras-go compare a credHelpers key byte by byte with the bare host. With a
#          scheme the helper is never started and the pull is anonymous. No error. regclient takes both spellings.
# Seen:    2026-11-28, Go 1.26.8, docker/cli v29.7.2, go-containerregistry v0.22.1, oras-go v2.7.0, regclient v0.11.7
# Output:  auths, docker: user robot
#          credHelpers, docker: user
#          credHelpers, go-containerregistry: user
#          credHelpers, oras-go: user
#          credHelpers, regclient: user from-cloud
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > docker-credential-cloud <<'EOF'
#!/bin/sh
echo '{"Username": "from-cloud", "Secret": "example"}'
EOF
chmod +x docker-credential-cloud
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/docker/cli v29.7.2+incompatible
	github.com/google/go-containerregistry v0.22.1
	github.com/regclient/regclient v0.11.7
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	regconfig "github.com/regclient/regclient/config"
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

const host = "registry.example.com"

func write(text string) {
	if err := os.WriteFile("config.json", []byte(text), 0o600); err != nil {
		panic(err)
	}
}

func docker() string {
	return "user " + must(must(config.Load(os.Getenv("DOCKER_CONFIG"))).GetAuthConfig(host)).Username
}

func main() {
	write(`{"auths": {"https://registry.example.com": {"auth": "cm9ib3Q6ZXhhbXBsZQ=="}}}`) // robot:example
	want("auths, docker", docker(), "user robot")

	write(`{"credHelpers": {"https://registry.example.com": "cloud"}}`)
	want("credHelpers, docker", docker(), "user ")
	found := must(authn.DefaultKeychain.Resolve(must(name.NewRegistry(host))))
	want("credHelpers, go-containerregistry", "user "+must(found.Authorization()).Username, "user ")
	store := must(credentials.NewStoreFromDocker(credentials.StoreOptions{}))
	want("credHelpers, oras-go", "user "+must(store.Get(context.Background(), host)).Username, "user ")
	for _, h := range must(regconfig.DockerLoad()) {
		want("credHelpers, regclient", "user "+h.GetCred().User, "user from-cloud")
	}
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u DOCKER_AUTH_CONFIG DOCKER_CONFIG="$dir" HOME="$dir" PATH="$dir:$PATH" ./finding
