#!/usr/bin/env bash
# go-containerregistry and containerd see only the first page of an image's referrers: a signature on the second page
# does not exist for cosign.
#
# Guess:   remote.Referrers returns all referrers, as remote.List returns all tags. Nothing in its signature or its
#          documentation speaks of pages.
# Because: distribution-spec v1.1 lets a registry send long lists in pages, with a Link header as for tags. For tags,
#          go-containerregistry follows it.
# Really:  one request, whatever the Link header says, and no error. An image with many SBOMs, scan reports and
#          attestations hides its signature; which ones are on the first page is the registry's choice. cosign v3.1.3
#          finds bundles with this function (read in its source, not run). containerd does the same; oras-go and
#          regclient follow the pages. A Content-Type with a parameter, as some proxies add it, counts as "no such API"
#          in go-containerregistry and oras-go: both look for the fallback tag instead, and return an empty list.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1, containerd v2.4.2, oras-go v2.7.0, regclient v0.11.7
# Output:  go-containerregistry: 1 of 2
#          containerd: 1 of 2
#          oras-go: 2 of 2
#          regclient: 2 of 2
#          go-containerregistry, charset=utf-8: 0 of 2
#          containerd, charset=utf-8: 1 of 2
#          oras-go, charset=utf-8: 0 of 2
#          regclient, charset=utf-8: 2 of 2
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/containerd/containerd/v2 v2.4.2
	github.com/google/go-containerregistry v0.22.1
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
	github.com/regclient/regclient v0.11.7
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/ref"
	orasremote "oras.land/oras-go/v2/registry/remote"
)

const image = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`

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

// parameter is added to the media type of the registry's answers.
var parameter string

func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex+parameter)
	switch {
	case r.URL.Path == "/v2/":
	case strings.HasPrefix(r.URL.Path, "/v2/app/referrers/"):
		kind := "signature"
		if r.URL.Query().Get("page") == "" {
			w.Header().Set("Link", "<"+r.URL.Path+`?page=2>; rel="next"`)
			kind = "sbom"
		}
		fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","digest":"%s","size":9,"artifactType":"application/%s"}]}`,
			ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest, digest.FromString(kind), kind)
	case strings.HasSuffix(r.URL.Path, digest.FromString(image).String()):
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Docker-Content-Digest", digest.FromString(image).String())
		fmt.Fprint(w, image)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func main() {
	ctx := context.Background()
	server := httptest.NewServer(http.HandlerFunc(serve))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	subject := digest.FromString(image)
	reference := host + "/app@" + subject.String()

	ggcr := func() int {
		index := must(remote.Referrers(must(name.NewDigest(reference)), remote.WithContext(ctx)))
		return len(must(index.IndexManifest()).Manifests)
	}
	containerd := func() int {
		hosts := docker.ConfigureDefaultRegistries(docker.WithPlainHTTP(docker.MatchAllHosts))
		fetcher := must(docker.NewResolver(docker.ResolverOptions{Hosts: hosts}).Fetcher(ctx, reference))
		return len(must(fetcher.(remotes.ReferrersFetcher).FetchReferrers(ctx, subject)))
	}
	oras := func() int {
		repository := must(orasremote.NewRepository(host + "/app"))
		repository.PlainHTTP = true
		count := 0
		must(0, repository.Referrers(ctx, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: subject, Size: int64(len(image))}, "",
			func(page []ocispec.Descriptor) error { count += len(page); return nil }))
		return count
	}
	regctl := func() int {
		client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
		return len(must(client.ReferrerList(ctx, must(ref.New(reference)))).Descriptors)
	}

	want("go-containerregistry", fmt.Sprint(ggcr(), " of 2"), "1 of 2")
	want("containerd", fmt.Sprint(containerd(), " of 2"), "1 of 2")
	want("oras-go", fmt.Sprint(oras(), " of 2"), "2 of 2")
	want("regclient", fmt.Sprint(regctl(), " of 2"), "2 of 2")
	parameter = "; charset=utf-8"
	want("go-containerregistry, charset=utf-8", fmt.Sprint(ggcr(), " of 2"), "0 of 2")
	want("containerd, charset=utf-8", fmt.Sprint(containerd(), " of 2"), "1 of 2")
	want("oras-go, charset=utf-8", fmt.Sprint(oras(), " of 2"), "0 of 2")
	want("regclient, charset=utf-8", fmt.Sprint(regctl(), " of 2"), "2 of 2")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
