#!/usr/bin/env bash
# go-containerregistry (crane, ko) asks credsStore for "host/repository" before it asks the credHelper of the host.
#
# Guess:   with {"credsStore": "keychain", "credHelpers": {"registry.example.com": "cloud"}}, credentials for
#          registry.example.com come from docker-credential-cloud. The other helper is never started.
# Because: Docker's documentation of config.json says that a credHelpers entry overrides credsStore for its registry,
#          and go-containerregistry reads the file with Docker's own package.
# Really:  the keychain first looks up "registry.example.com/team/app". No credHelpers key has that name, so Docker's
#          package falls back to credsStore. A store that answers for everything wins, and its credentials are used.
#          Only after a "not found" does the helper of the host get its turn.
# Seen:    2026-11-28, Go 1.26.8, go-containerregistry v0.22.1, docker/cli v29.7.2
# Output:  docker: user from-cloud, helpers run: cloud get registry.example.com
#          go-containerregistry: user from-keychain, helpers run: keychain get registry.example.com/team/app
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir bin
for name in keychain cloud; do
	cat > "bin/docker-credential-$name" <<EOF
#!/bin/sh
echo "$name \$1 \$(cat)" >> "$dir/runs"
echo '{"Username": "from-$name", "Secret": "example"}'
EOF
	chmod +x "bin/docker-credential-$name"
done
echo '{"credsStore": "keychain", "credHelpers": {"registry.example.com": "cloud"}}' > config.json
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/docker/cli v29.7.2+incompatible
	github.com/google/go-containerregistry v0.22.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/docker/cli/cli/config"
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

// runs returns the calls of helpers since the last time.
func runs() string {
	lines, _ := os.ReadFile("runs")
	os.Remove("runs")
	return strings.Join(strings.Split(strings.TrimSpace(string(lines)), "\n"), ", ")
}

func main() {
	file := must(config.Load(os.Getenv("DOCKER_CONFIG")))
	auth := must(file.GetAuthConfig("registry.example.com"))
	want("docker", "user "+auth.Username+", helpers run: "+runs(),
		"user from-cloud, helpers run: cloud get registry.example.com")

	repository := must(name.NewRepository("registry.example.com/team/app"))
	credentials := must(must(authn.DefaultKeychain.Resolve(repository)).Authorization())
	want("go-containerregistry", "user "+credentials.Username+", helpers run: "+runs(),
		"user from-keychain, helpers run: keychain get registry.example.com/team/app")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u DOCKER_AUTH_CONFIG DOCKER_CONFIG="$dir" HOME="$dir" PATH="$dir/bin:$PATH" ./finding
