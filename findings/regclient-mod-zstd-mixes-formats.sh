#!/usr/bin/env bash
# "regctl image mod --to-oci --layer-compress zstd" writes a manifest of OCI with Docker's types of config and layers.
#
# Guess:   the image of Docker's format becomes one of OCI with zstd layers. Without --to-oci regctl says that Docker's
#          format has none.
# Because: --to-oci is there to convert from Docker's media types to OCI's, and does so if no other option is given, or if
#          all layers are compressed with gzip already. The specification of Docker's format (image manifest version 2,
#          schema 2) has no type for zstd.
# Really:  what another option changes, in either order, is not converted any more: the manifest says OCI, and the config
#          and the layers have Docker's types, among them application/vnd.docker.image.rootfs.diff.tar.zstd. Without
#          --to-oci that type is in a manifest of Docker's, which Skopeo 1.9 refuses to read. Two runs of regctl do it:
#          first --to-oci, then --layer-compress zstd.
# Seen:    2026-11-30, Go 1.26.8, regclient v0.11.7, go-containerregistry's registry v0.22.1 as the server, Skopeo 1.9.3
#          (Debian 12; go.podman.io/image/v5 v5.42.1 knows the type)
# Output:  to OCI: manifest oci, config oci, layer oci tar+gzip
#          to OCI, and zstd: manifest oci, config docker, layer docker tar.zstd
#          zstd, and to OCI: manifest oci, config docker, layer docker tar.zstd
#          to OCI in one run, zstd in the next: manifest oci, config oci, layer oci tar+zstd
#          zstd: manifest docker, config docker, layer docker tar.zstd
#          Skopeo, Docker image: copied
#          Skopeo, Docker image with zstd: unsupported docker v2s2 media type
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0
for package in *.deb; do dpkg -x "$package" root; done
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/regclient/regclient v0.11.7
)
EOM
cat > main.go <<'EOM'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/mod"
	"github.com/regclient/regclient/pkg/archive"
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

func main() {
	ctx := context.Background()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	host := strings.TrimPrefix(server.URL, "http://")
	must(0, crane.Push(must(random.Image(100, 1)), host+"/app:gzip"))
	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
	change := func(from, to string, options ...mod.Opts) string {
		options = append(options, mod.WithRefTgt(must(ref.New(host+"/app:"+to))))
		must(mod.Apply(ctx, client, must(ref.New(host+"/app:"+from)), options...))
		manifest := must(must(crane.Pull(host + "/app:" + to)).Manifest())
		_, layer, _ := strings.Cut(string(manifest.Layers[0].MediaType), "tar")
		return fmt.Sprintf("manifest %s, config %s, layer %s tar%s",
			format(manifest.MediaType), format(manifest.Config.MediaType), format(manifest.Layers[0].MediaType), layer)
	}
	oci, zstd := mod.WithManifestToOCI(), mod.WithLayerCompression(archive.CompressZstd)
	want("to OCI", change("gzip", "oci", oci), "manifest oci, config oci, layer oci tar+gzip")
	want("to OCI, and zstd", change("gzip", "both", oci, zstd), "manifest oci, config docker, layer docker tar.zstd")
	want("zstd, and to OCI", change("gzip", "both", zstd, oci), "manifest oci, config docker, layer docker tar.zstd")
	want("to OCI in one run, zstd in the next", change("oci", "next", zstd), "manifest oci, config oci, layer oci tar+zstd")
	want("zstd", change("gzip", "zstd", zstd), "manifest docker, config docker, layer docker tar.zstd")
	must(0, os.WriteFile("host", []byte(host), 0o644))
	select {}
}

// format returns whose media type it is.
func format(mediaType types.MediaType) string {
	if strings.HasPrefix(string(mediaType), "application/vnd.docker.") {
		return "docker"
	}
	return "oci"
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding &
pid=$!
for _ in {1..300}; do
	[ ! -s host ] || break
	kill -0 "$pid" 2> /dev/null || { pid=; exit 1; }
	sleep 0.1
done
skopeo() { LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/bin/skopeo --insecure-policy "$@"; }
skopeo --version
copy() { # tag
	if skopeo copy --quiet --src-tls-verify=false "docker://$(cat host)/app:$1" "dir:copy-$1" 2> message; then
		echo copied
	else
		grep -o 'unsupported docker v2s2 media type' message || cat message
	fi
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'Skopeo, Docker image' "$(copy gzip)" copied
want 'Skopeo, Docker image with zstd' "$(copy zstd)" 'unsupported docker v2s2 media type'
