#!/usr/bin/env bash
# Docker's reference parser takes an upper-case first component for a registry host: "MyOrg/app" is a repository on
# "MyOrg".
#
# Guess:   "MyOrg/app:1" is refused, with the advice that names of repositories are lower case.
# Because: that is what "myorg/App:1" gets. A host needs a "." or ":" in it, or must be "localhost", by Docker's
#          documentation of image names; a name without a host is one of Docker Hub.
# Really:  a first component with an upper-case letter can't be a repository, so it is taken for a host. The parse
#          succeeds and the client looks for a server called "MyOrg". regclient does the same; go-containerregistry
#          refuses.
# Seen:    2026-11-28, Go 1.26.8, distribution/reference v0.6.0, go-containerregistry v0.22.1, regclient v0.11.7
# Output:  myorg/app:1: host docker.io, path myorg/app
#          MyOrg/app:1: host MyOrg, path app
#          myorg/App:1: refused
#          MyOrg/app:1 in regclient: host MyOrg
#          MyOrg/app:1 in go-containerregistry: refused
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/distribution/reference v0.6.0
	github.com/google/go-containerregistry v0.22.1
	github.com/regclient/regclient v0.11.7
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/regclient/regclient/types/ref"
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

func parse(s string) string {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return "refused"
	}
	return fmt.Sprintf("host %s, path %s", reference.Domain(named), reference.Path(named))
}

func main() {
	want("myorg/app:1", parse("myorg/app:1"), "host docker.io, path myorg/app")
	want("MyOrg/app:1", parse("MyOrg/app:1"), "host MyOrg, path app")
	want("myorg/App:1", parse("myorg/App:1"), "refused")
	want("MyOrg/app:1 in regclient", "host "+must(ref.New("MyOrg/app:1")).Registry, "host MyOrg")
	outcome := "taken"
	if _, err := name.ParseReference("MyOrg/app:1"); err != nil {
		outcome = "refused"
	}
	want("MyOrg/app:1 in go-containerregistry", outcome, "refused")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
