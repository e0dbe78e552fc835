#!/usr/bin/env bash
# Docker's DOCKER_AUTH_CONFIG takes less than config.json does: an entry that works in the file is dropped whole.
#
# Guess:   DOCKER_AUTH_CONFIG holds the text of a config.json. credHelpers, or a user name and password in two fields,
#          work there as they do in the file.
# Because: the variable has the name and the syntax of GitLab's variable, which takes a whole config.json with
#          credHelpers, and Docker's type for an "auths" entry has the fields "username" and "password".
# Really:  only {"auths": {HOST: {"auth": BASE64}}} is taken. Any other key makes Docker ignore the variable, write
#          one line on stderr, return no error, and use the file instead: the user is another one.
# Seen:    2026-11-28, Go 1.26.8, docker/cli v29.7.2
# Output:  auth in base64: user robot
#          username and password: user from-file
#          auth in base64, and a helper for another host: user from-file
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
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/docker/cli/cli/config"
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

func user(variable string) string {
	os.Setenv("DOCKER_AUTH_CONFIG", variable)
	file := must(config.LoadFromReader(strings.NewReader(
		`{"auths": {"registry.example.com": {"auth": "ZnJvbS1maWxlOmV4YW1wbGU="}}}`))) // from-file:example
	return "user " + must(file.GetAuthConfig("registry.example.com")).Username
}

func main() {
	want("auth in base64", user(`{"auths": {"registry.example.com": {"auth": "cm9ib3Q6ZXhhbXBsZQ=="}}}`), "user robot")
	want("username and password",
		user(`{"auths": {"registry.example.com": {"username": "robot", "password": "example"}}}`), "user from-file")
	want("auth in base64, and a helper for another host",
		user(`{"auths": {"registry.example.com": {"auth": "cm9ib3Q6ZXhhbXBsZQ=="}}, "credHelpers": {"other.example.com": "cloud"}}`),
		"user from-file")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
