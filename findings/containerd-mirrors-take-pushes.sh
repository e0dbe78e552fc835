#!/usr/bin/env bash
# With a mirror in containerd's hosts.toml, a push goes to the mirror only, and never to the registry that is named.
#
# Guess:   [host."http://mirror"] with nothing else is a place to pull from. "nerdctl push REGISTRY/app:1" and
#          "ctr images push" push to REGISTRY.
# Because: containerd's documentation calls it a mirror, says that "pushing is a capability which should only be performed
#          on an upstream source, not a mirror", has "Push: no" for both kinds of mirrors in its table, and calls
#          "capabilities" optional. Mirrors of Docker and of Podman are for pulls.
# Really:  without "capabilities", a host has all of them, and a push takes the first host that has "push". It ends
#          with exit code 0, REGISTRY never sees a request, and other machines do not find the image. If the mirror takes
#          no pushes, the push fails: the next host is not tried, as it would be for a pull.
# Seen:    2026-11-30, Go 1.26.8, containerd v2.4.2, go-containerregistry's registry v0.22.1 as both servers
# Output:  no file: push ok, mirror no, registry yes
#          mirror: push ok, mirror yes, registry no
#          mirror with pull and resolve: push ok, mirror no, registry yes
#          mirror that takes no pushes: push failed, mirror no, registry no
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
	github.com/containerd/log v0.2.0
	github.com/containerd/platforms v1.0.0-rc.5
	github.com/google/go-containerregistry v0.22.1
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/log"
	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
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

// push pushes an image by the name of a registry and returns how that went and which servers have it. In hosts,
// MIRROR stands for the URL of a mirror, which takes pushes or not.
func push(hosts string, mirrorIsReadOnly bool) string {
	ctx := context.Background()
	server := func(readOnly bool) *httptest.Server {
		handler := registry.New(registry.Logger(stdlog.New(io.Discard, "", 0)))
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			handler.ServeHTTP(w, r)
		}))
	}
	mirror, upstream := server(mirrorIsReadOnly), server(false)
	defer mirror.Close()
	defer upstream.Close()
	has := func(s *httptest.Server) string {
		answer := must(http.Get(s.URL + "/v2/app/manifests/1"))
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return "yes"
		}
		return "no"
	}

	dir := must(os.MkdirTemp(".", "push"))
	host := strings.TrimPrefix(upstream.URL, "http://")
	if hosts != "" {
		must(0, os.MkdirAll(filepath.Join(dir, host), 0o755))
		file := "server = \"" + upstream.URL + "\"\n" + strings.Replace(hosts, "MIRROR", mirror.URL, 1)
		must(0, os.WriteFile(filepath.Join(dir, host, "hosts.toml"), []byte(file), 0o644))
	}
	store := must(local.NewStore(filepath.Join(dir, "content")))
	write := func(mediaType, text string) specs.Descriptor {
		d := specs.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
		must(0, content.WriteBlob(ctx, store, d.Digest.String(), bytes.NewReader([]byte(text)), d))
		return d
	}
	blob := write(specs.MediaTypeImageConfig, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	image := write(specs.MediaTypeImageManifest, fmt.Sprintf(
		`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
		specs.MediaTypeImageManifest, blob.MediaType, blob.Digest, blob.Size))

	resolver := docker.NewResolver(docker.ResolverOptions{
		Hosts: config.ConfigureHosts(ctx, config.HostOptions{HostDir: config.HostDirFromRoot(dir)})})
	pusher := must(resolver.Pusher(ctx, host+"/app:1"))
	result := "ok"
	if err := remotes.PushContent(ctx, pusher, image, store, nil, platforms.All, nil); err != nil {
		result = "failed"
	}
	return fmt.Sprintf("push %s, mirror %s, registry %s", result, has(mirror), has(upstream))
}

func main() {
	must(0, log.SetLevel("panic"))
	want("no file", push("", false), "push ok, mirror no, registry yes")
	want("mirror", push("[host.\"MIRROR\"]\n", false), "push ok, mirror yes, registry no")
	want("mirror with pull and resolve", push("[host.\"MIRROR\"]\ncapabilities = [\"pull\", \"resolve\"]\n", false), "push ok, mirror no, registry yes")
	want("mirror that takes no pushes", push("[host.\"MIRROR\"]\n", true), "push failed, mirror no, registry no")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
