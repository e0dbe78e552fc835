#!/usr/bin/env bash
# regclient (regctl, regsync) never asks a credsStore for a host that the helper does not list.
#
# Guess:   with {"credsStore": "cloud"}, docker-credential-cloud is asked by "get" for the host that is used.
# Because: Docker does so, and the helper protocol has "get" for just that. A helper that mints tokens on demand can't
#          list the hosts that it could serve, and may answer "list" with {}.
# Really:  regclient runs "list" when it loads the configuration, and takes only the hosts in the answer. With {} it
#          knows no host, "get" never runs, and every request is anonymous. The same helper named in credHelpers
#          works.
# Seen:    2026-11-28, Go 1.26.8, regclient v0.11.7
# Output:  credsStore: 0 hosts, helper run: list
#          credHelpers: registry.example.com as from-cloud, helper run: get registry.example.com
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > docker-credential-cloud <<EOF
#!/bin/sh
echo "\$1" "\$(cat)" >> "$dir/runs"
if [ "\$1" = list ]; then echo '{}'; else echo '{"Username": "from-cloud", "Secret": "example"}'; fi
EOF
chmod +x docker-credential-cloud
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/regclient/regclient v0.11.7
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/regclient/regclient/config"
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

func load(dockerConfig string) string {
	if err := os.WriteFile("config.json", []byte(dockerConfig), 0o600); err != nil {
		panic(err)
	}
	hosts := must(config.DockerLoad())
	answer := fmt.Sprint(len(hosts), " hosts")
	for _, host := range hosts {
		answer = host.Name + " as " + host.GetCred().User
	}
	runs := must(os.ReadFile("runs"))
	os.Remove("runs")
	return answer + ", helper run: " + strings.TrimSpace(string(runs))
}

func main() {
	want("credsStore", load(`{"credsStore": "cloud"}`), "0 hosts, helper run: list")
	want("credHelpers", load(`{"credHelpers": {"registry.example.com": "cloud"}}`),
		"registry.example.com as from-cloud, helper run: get registry.example.com")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u DOCKER_AUTH_CONFIG DOCKER_CONFIG="$dir" PATH="$dir:$PATH" ./finding
