#!/usr/bin/env bash
# "cosign clean" takes the SBOMs and signatures of other programs off an image, in registries without the referrers API.
#
# Guess:   what cosign has attached is removed. An SBOM that ORAS attached and a signature of Notation stay, as they do in
#          a registry with the referrers API.
# Because: the help says "remove all signatures from an image", clean looks at each referrer, and keeps those that are no
#          Sigstore bundles.
# Really:  clean also deletes the list of referrers itself, which it takes for something of its own. With the API there is
#          no such manifest, and the registry's 404 is ignored. Without the API that list is the tag sha256-HEX: the SBOM is
#          still stored, but nothing leads to it any more, and the next garbage collection that removes untagged manifests
#          deletes it. Exit code 0; the line "Removed" names only a digest.
# Seen:    2026-11-30, Go 1.26.8, cosign v3.1.3, oras-go v2.7.0. With the API: go-containerregistry's registry v0.22.1;
#          without: distribution 2.8.2 (Debian 12)
# Output:  with the referrers API, attached before: SBOM signature
#          with the referrers API, attached after cosign clean: SBOM
#          without it, attached before: SBOM signature
#          without it, attached after cosign clean: nothing
#          without it, the SBOM by its digest: found
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download docker-registry=2.8.2+ds1-1
dpkg -x docker-registry_*.deb root
cat > config.yml <<'EOF'
version: 0.1
storage: {inmemory: {}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
EOF
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/opencontainers/image-spec v1.1.1
	github.com/sigstore/cosign/v3 v3.1.3
	oras.land/oras-go/v2 v2.7.0
)

tool github.com/sigstore/cosign/v3/cmd/cosign
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
	"os/exec"
	"slices"
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

// cosign runs a command of cosign. Nothing outside of loopback is reached.
func cosign(args ...string) {
	command := exec.Command("./cosign", args...)
	command.Env = append(os.Environ(), "HOME="+must(os.Getwd()), "COSIGN_PASSWORD=", "HTTPS_PROXY=http://127.0.0.1:1")
	if out, err := command.CombinedOutput(); err != nil {
		panic(string(out))
	}
}

func try(host string) (before, after, byDigest string) {
	ctx := context.Background()
	repository := must(remote.NewRepository(host + "/app"))
	repository.PlainHTTP = true
	config := must(oras.PushBytes(ctx, repository, specs.MediaTypeImageConfig,
		[]byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)))
	layer := must(oras.PushBytes(ctx, repository, specs.MediaTypeImageLayer, make([]byte, 1024)))
	image := must(oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "",
		oras.PackManifestOptions{ConfigDescriptor: &config, Layers: []specs.Descriptor{layer}}))
	must(0, repository.Tag(ctx, image, "1"))
	document := must(oras.PushBytes(ctx, repository, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`)))
	sbom := must(oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "application/spdx+json",
		oras.PackManifestOptions{Subject: &image, Layers: []specs.Descriptor{document}}))
	attached := func() string {
		// Another client, which asks the registry again whether it has the API.
		reader := must(remote.NewRepository(host + "/app"))
		reader.PlainHTTP = true
		var kinds []string
		must(0, reader.Referrers(ctx, image, "", func(list []specs.Descriptor) error {
			for _, referrer := range list {
				if referrer.Annotations["dev.sigstore.bundle.content"] != "" {
					kinds = append(kinds, "signature")
				} else {
					kinds = append(kinds, "SBOM")
				}
			}
			return nil
		}))
		if kinds == nil {
			return "nothing"
		}
		slices.Sort(kinds)
		return strings.Join(kinds, " ")
	}
	cosign("sign", "--yes", "--key", "key.key", "--signing-config", "config.json", "--allow-http-registry", host+"/app@"+image.Digest.String())
	before = attached()
	cosign("clean", "--force", "--allow-http-registry", host+"/app:1")
	byDigest = "found"
	if _, err := repository.Resolve(ctx, sbom.Digest.String()); err != nil {
		byDigest = err.Error()
	}
	return before, attached(), byDigest
}

func main() {
	cosign("generate-key-pair", "--output-key-prefix", "key")
	cosign("signing-config", "create", "--out", "config.json")
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	before, after, _ := try(strings.TrimPrefix(server.URL, "http://"))
	want("with the referrers API, attached before", before, "SBOM signature")
	want("with the referrers API, attached after cosign clean", after, "SBOM")
	before, after, byDigest := try(os.Args[1])
	want("without it, attached before", before, "SBOM signature")
	want("without it, attached after cosign clean", after, "nothing")
	want("without it, the SBOM by its digest", byDigest, "found")
}
EOF
go build -o cosign github.com/sigstore/cosign/v3/cmd/cosign
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
: > log
root/usr/bin/docker-registry serve config.yml > log 2>&1 &
pid=$!
for _ in {1..100}; do
	address=$(sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' log)
	[ -z "$address" ] || break
	sleep 0.1
done
./finding "$address"
