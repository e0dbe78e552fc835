#!/usr/bin/env bash
# "helm install oci://HOST/chart" of charts with versions such as 1.0.0+9 and 1.0.0+10 takes the first one in the order of
# text, whichever is newer, and never one whose version begins with "v".
#
# Guess:   without --version, or with a range, Helm takes the newest chart: of 1.0.0+9, 1.0.0+10 and 1.0.0+11 the last, and
#          v1.1.0 before all of them.
# Because: Helm documents "+" in versions and writes it to a registry as "_" for this purpose, and Masterminds/semver,
#          Helm's package, reads v1.1.0 and orders it after 1.0.0.
# Really:  what follows "+" has no order in SemVer, so the order of the registry's list stays, which is that of text: the
#          first build is chosen again and again, and a plain 1.0.0 hides all of them. Tags that are not strict SemVer
#          (v1.1.0) are left out before, without a message.
# Seen:    2026-11-30, Go 1.26.8, helm.sh/helm/v4 v4.3.2 (pkg/registry, which the commands call), go-containerregistry
#          v0.22.1 as the registry
# Output:  tags: 1.0.0_10 1.0.0_11 1.0.0_9 v1.1.0
#          Helm's list: 1.0.0+10 1.0.0+11 1.0.0+9
#          newest: 1.0.0+10
#          newest of ^1: 1.0.0+10
#          newest, with 1.0.0: 1.0.0
#          1.0.0+11 by its version: 1.0.0+11
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
	helm.sh/helm/v4 v4.3.2
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
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	helm "helm.sh/helm/v4/pkg/registry"
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

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	chart := strings.TrimPrefix(server.URL, "http://") + "/chart"
	// Only the tags count here, not what they name.
	image := must(random.Image(10, 1))
	push := func(tag string) { must(0, crane.Push(image, chart+":"+tag)) }
	client := must(helm.NewClient(helm.ClientOptPlainHTTP()))
	newest := func(version string) string {
		return must(helm.GetTagMatchingVersionOrConstraint(must(client.Tags(chart)), version))
	}
	for _, tag := range []string{"1.0.0_9", "1.0.0_10", "1.0.0_11", "v1.1.0"} {
		push(tag)
	}
	want("tags", strings.Join(must(crane.ListTags(chart)), " "), "1.0.0_10 1.0.0_11 1.0.0_9 v1.1.0")
	want("Helm's list", strings.Join(must(client.Tags(chart)), " "), "1.0.0+10 1.0.0+11 1.0.0+9")
	want("newest", newest(""), "1.0.0+10")
	want("newest of ^1", newest("^1"), "1.0.0+10")
	push("1.0.0")
	want("newest, with 1.0.0", newest(""), "1.0.0")
	want("1.0.0+11 by its version", newest("1.0.0+11"), "1.0.0+11")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
