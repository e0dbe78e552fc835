#!/usr/bin/env bash
# A signed chart that "helm pull --verify" accepts by its version is refused by its digest.
#
# Guess:   oci://HOST/chart@sha256:… is verified like oci://HOST/chart with --version: it is the same chart, from the same
#          manifest, with the same signature beside it.
# Because: Helm takes digests wherever it takes versions of charts in registries, and the provenance has the archive's
#          SHA-256 and the signer's signature, both of which are right.
# Really:  the provenance lists the sum under the archive's file name, chart-1.0.0.tgz, and Helm makes the name to look for
#          from the reference: for a digest, "chart@sha256-" and the digest. So pinning and verifying exclude each other.
# Seen:    2026-12-01, Go 1.26.8, helm.sh/helm/v4 v4.3.2 (pkg/downloader, which the commands call), go-crypto v1.4.1 for the
#          key, go-containerregistry v0.22.1 as the registry
# Output:  by version: verified
#          by digest: not verified, no sum for chart@sha256-DIGEST.tgz
#          by digest, without --verify, same bytes: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/ProtonMail/go-crypto v1.4.1
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
	"path/filepath"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/go-containerregistry/pkg/registry"
	"helm.sh/helm/v4/pkg/downloader"
	"helm.sh/helm/v4/pkg/getter"
	"helm.sh/helm/v4/pkg/provenance"
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

const metadata = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"

func archive() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	must(0, t.WriteHeader(&tar.Header{Name: "chart/Chart.yaml", Mode: 0o644, Size: int64(len(metadata))}))
	must(t.Write([]byte(metadata)))
	must(0, t.Close())
	must(0, z.Close())
	return b.Bytes()
}

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	chart := strings.TrimPrefix(server.URL, "http://") + "/chart"
	key := must(openpgp.NewEntity("Example", "", "example@example.com", nil))
	ring := must(os.Create("ring.gpg"))
	must(0, key.SerializePrivate(ring, nil))
	must(0, ring.Close())
	signer := provenance.Signatory{Entity: key, KeyRing: openpgp.EntityList{key}}
	data := archive()
	signature := must(signer.ClearSign(data, "chart-1.0.0.tgz", []byte(metadata)))
	client := must(helm.NewClient(helm.ClientOptPlainHTTP(), helm.ClientOptWriter(io.Discard)))
	pushed := must(client.Push(data, chart+":1.0.0", helm.PushOptProvData([]byte(signature))))

	pull := func(ref, version string, verify downloader.VerificationStrategy) ([]byte, error) {
		to := must(os.MkdirTemp(".", "pull"))
		d := downloader.ChartDownloader{
			Out: io.Discard, Verify: verify, Keyring: "ring.gpg", RegistryClient: client, ContentCache: filepath.Join(to, "cache"),
			Getters: getter.Providers{{Schemes: []string{"oci"}, New: getter.NewOCIGetter}},
			Options: []getter.Option{getter.WithRegistryClient(client), getter.WithPlainHTTP(true)},
		}
		file, _, err := d.DownloadTo("oci://"+ref, version, to)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(file)
	}
	result := func(err error) string {
		if err == nil {
			return "verified"
		}
		digest := strings.TrimPrefix(pushed.Manifest.Digest, "sha256:")
		text := strings.ReplaceAll(err.Error(), digest, "DIGEST")
		if strings.Contains(text, "does not contain a SHA for a file named") && strings.Contains(text, "chart@sha256-DIGEST.tgz") {
			return "not verified, no sum for chart@sha256-DIGEST.tgz"
		}
		return text
	}
	_, err := pull(chart, "1.0.0", downloader.VerifyAlways)
	want("by version", result(err), "verified")
	_, err = pull(chart+"@"+pushed.Manifest.Digest, "", downloader.VerifyAlways)
	want("by digest", result(err), "not verified, no sum for chart@sha256-DIGEST.tgz")
	again := must(pull(chart+"@"+pushed.Manifest.Digest, "", downloader.VerifyNever))
	want("by digest, without --verify, same bytes", bytes.Equal(again, data), true)
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
