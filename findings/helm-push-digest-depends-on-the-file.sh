#!/usr/bin/env bash
# "helm push" of one chart archive pushes another manifest when the file was copied, or in another time zone.
#
# Guess:   the same .tgz, byte for byte, is the same manifest with the same digest, wherever it is pushed from. A push
#          that is repeated changes nothing.
# Because: the manifest describes a config and a layer. Both are made from the archive alone, and "helm push" has no flag
#          for a time.
# Really:  the manifest has the annotation org.opencontainers.image.created with the modification time of the file, in
#          the time zone of the machine. A CI job that gets the archive as an artifact or from git pushes another
#          digest than the job before it. With immutable tags the registry refuses the second push of an unchanged
#          chart, and a signature of the first does not fit the second.
# Seen:    2026-11-30, Go 1.26.8, Helm v4.3.2, go-containerregistry's registry v0.22.1 as the server
# Output:  same file again: same digest: true
#          another time zone: same digest: false, same chart: true
#          another modification time: same digest: false, same chart: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
	helm.sh/helm/v4 v4.3.2
)
EOM
cat > main.go <<'EOM'
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"helm.sh/helm/v4/pkg/pusher"
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
	host := strings.TrimPrefix(server.URL, "http://")

	chart := []byte("apiVersion: v2\nname: app\nversion: 1.0.0\n")
	var archive bytes.Buffer
	zipper := gzip.NewWriter(&archive)
	files := tar.NewWriter(zipper)
	must(0, files.WriteHeader(&tar.Header{Name: "app/Chart.yaml", Mode: 0o644, Size: int64(len(chart))}))
	must(files.Write(chart))
	must(0, files.Close())
	must(0, zipper.Close())
	must(0, os.WriteFile("app-1.0.0.tgz", archive.Bytes(), 0o644))

	push := func(modified time.Time, zone *time.Location) (digest, layer string) {
		must(0, os.Chtimes("app-1.0.0.tgz", modified, modified))
		time.Local = zone // as the variable TZ sets it
		client := must(helm.NewClient(helm.ClientOptPlainHTTP(), helm.ClientOptWriter(io.Discard)))
		p := must(pusher.NewOCIPusher(pusher.WithRegistryClient(client)))
		must(0, p.Push("app-1.0.0.tgz", "oci://"+host+"/charts"))
		image := must(crane.Pull(host+"/charts/app:1.0.0", crane.Insecure))
		return must(image.Digest()).String(), must(image.Manifest()).Layers[0].Digest.String()
	}
	day := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	first, layer := push(day, time.UTC)
	same := func(modified time.Time, zone *time.Location) string {
		digest, content := push(modified, zone)
		return fmt.Sprintf("same digest: %v, same chart: %v", digest == first, content == layer)
	}
	want("same file again", same(day, time.UTC), "same digest: true, same chart: true")
	want("another time zone", same(day, time.FixedZone("", 3600)), "same digest: false, same chart: true")
	want("another modification time", same(day.Add(time.Second), time.UTC), "same digest: false, same chart: true")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
HOME="$dir" ./finding
