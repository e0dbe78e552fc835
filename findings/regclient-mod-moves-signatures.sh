#!/usr/bin/env bash
# regclient's image mod (regctl image mod) hangs the signature of the old image onto the new one, which nobody signed.
#
# Guess:   a changed image is another image with another digest. It has no signature until somebody signs it. What
#          refers to the old image goes on to do so.
# Because: a signature is of one digest, and regctl image mod is documented by the changes that its options make: here,
#          one annotation. Copying referrers is an option of image copy (--referrers); mod has none.
# Really:  within one repository every referrer is pushed again, with the new image as its subject, and the old ones
#          stay. Listings show a signed image; the payload of its signature is the same and names the old digest. An
#          SBOM or a scan report passes for one of the new image. Into another repository nothing is copied.
# Seen:    2026-11-29, Go 1.26.8, regclient v0.11.7, oras-go v2.7.0, go-containerregistry's registry v0.22.1 as the
#          server
# Output:  referrers of the new image: 1
#          its subject is the new image: true
#          its payload is the one for the old image: true
#          referrers of the old image: 1
#          referrers of the new image in another repository: 0
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
	github.com/regclient/regclient v0.11.7
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/mod"
	"github.com/regclient/regclient/types/ref"
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

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	ctx := context.Background()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	repository := must(remote.NewRepository(host + "/app"))
	repository.PlainHTTP = true

	blob := must(oras.PushBytes(ctx, repository, specs.MediaTypeImageConfig,
		[]byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)))
	image := must(oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{ConfigDescriptor: &blob}))
	must(0, repository.Tag(ctx, image, "1"))
	payload := must(oras.PushBytes(ctx, repository, "application/vnd.example.signature",
		[]byte(`{"signed":"`+image.Digest.String()+`"}`)))
	must(oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "application/vnd.example.signature",
		oras.PackManifestOptions{Subject: &image, Layers: []specs.Descriptor{payload}}))

	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
	change := func(target string) ref.Ref {
		return must(mod.Apply(ctx, client, must(ref.New(host+"/app:1")), mod.WithRefTgt(must(ref.New(host+target))),
			mod.WithAnnotation("note", "example")))
	}
	created := change("/app:2")
	found := must(client.ReferrerList(ctx, created)).Descriptors
	want("referrers of the new image", len(found), 1)
	var signature specs.Manifest
	raw := must(must(client.ManifestGet(ctx, created.SetDigest(found[0].Digest.String()))).RawBody())
	must(0, json.Unmarshal(raw, &signature))
	digest := must(client.ManifestHead(ctx, created)).GetDescriptor().Digest
	want("its subject is the new image", signature.Subject.Digest == digest && digest != image.Digest, true)
	want("its payload is the one for the old image", signature.Layers[0].Digest == payload.Digest, true)
	want("referrers of the old image", len(must(client.ReferrerList(ctx, must(ref.New(host+"/app:1")))).Descriptors), 1)
	want("referrers of the new image in another repository", len(must(client.ReferrerList(ctx, change("/other:2"))).Descriptors), 0)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
