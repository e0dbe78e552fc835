#!/usr/bin/env bash
# The registry that tests of many Go programs use lists every referrer by the type of its config, not by its own.
#
# Guess:   go-containerregistry's registry with WithReferrersSupport(true) lists an SPDX document as application/spdx+json,
#          and "oras discover --artifact-type application/spdx+json" finds it, as in other registries.
# Because: distribution-spec 1.1 says that artifactType of an entry is that of the manifest, and the media type of the config
#          only if the manifest has none. Artifacts with a type of their own have the empty config by image-spec.
# Really:  artifactType of the manifest is never read. What ORAS attaches and cosign's bundles are listed as
#          application/vnd.oci.empty.v1+json, and a client that filters by type finds nothing. A test with this registry
#          that "no SBOM is attached" passes whatever is attached. Without the option, where the client keeps the list
#          itself, the type is right.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1 (pkg/registry), oras-go v2.7.0
# Output:  with the referrers API: listed as application/vnd.oci.empty.v1+json; of the type application/spdx+json: 0
#          with the list by a tag: listed as application/spdx+json; of the type application/spdx+json: 1
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
	github.com/opencontainers/image-spec v1.1.1
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry/remote"
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

// try attaches an SPDX document to an image and returns how another client finds it.
func try(api bool) string {
	ctx := context.Background()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(api)))
	defer server.Close()
	client := func() *remote.Repository {
		repository := must(remote.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/app"))
		repository.PlainHTTP = true
		return repository
	}
	writer := client()
	config := must(oras.PushBytes(ctx, writer, specs.MediaTypeImageConfig,
		[]byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)))
	image := must(oras.PackManifest(ctx, writer, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{ConfigDescriptor: &config}))
	document := must(oras.PushBytes(ctx, writer, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`)))
	must(oras.PackManifest(ctx, writer, oras.PackManifestVersion1_1, "application/spdx+json",
		oras.PackManifestOptions{Subject: &image, Layers: []specs.Descriptor{document}}))

	listed, found := "", 0
	must(0, client().Referrers(ctx, image, "", func(list []specs.Descriptor) error {
		for _, referrer := range list {
			listed += referrer.ArtifactType
		}
		return nil
	}))
	must(0, client().Referrers(ctx, image, "application/spdx+json", func(list []specs.Descriptor) error {
		found += len(list)
		return nil
	}))
	return fmt.Sprintf("listed as %s; of the type application/spdx+json: %d", listed, found)
}

func main() {
	want("with the referrers API", try(true), "listed as application/vnd.oci.empty.v1+json; of the type application/spdx+json: 0")
	want("with the list by a tag", try(false), "listed as application/spdx+json; of the type application/spdx+json: 1")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
