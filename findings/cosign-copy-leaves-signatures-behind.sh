#!/usr/bin/env bash
# "cosign copy" copies an image without the signature that the same cosign made, and the copy may never be signed again.
#
# Guess:   the image and its signatures arrive, as the help says: "Copy the supplied container image and signatures".
#          "cosign verify" accepts the copy as it accepts the source. What is not copied can be signed at the destination.
# Because: both commands are of one release, copy is silent about anything that it leaves out, and it is there to keep an
#          image and its signatures together. That it is deprecated says nothing about what it copies.
# Really:  since version 3, "cosign sign" writes a bundle that refers to the image. Copy knows the tags of version 2 only
#          (sha256-HEX.sig, .att, .sbom), finds none, and ends with exit code 0. It also sets for the image itself the tag
#          sha256-HEX: in a registry without the referrers API, this is the tag of the list of signatures. There, sign
#          refuses from then on, as do other programs that attach something, until somebody deletes that tag.
# Seen:    2026-11-30, Go 1.26.8, cosign v3.1.3, go-containerregistry's registry v0.22.1 with and without the referrers API
# Output:  with the referrers API: source signed yes; copy ok, signed no; then signed ok, signed yes
#          without it: source signed yes; copy ok, signed no; then signed failed, signed no
#          the tag sha256-HEX in the copy is the image: true
#          the reason: fallback tag manifest is not an OCI image index
#          without it, copied with crane: source signed yes; copy ok, signed no; then signed ok, signed yes
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
	github.com/sigstore/cosign/v3 v3.1.3
)

tool github.com/sigstore/cosign/v3/cmd/cosign
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
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

var messages string

// cosign runs a command of cosign and reports whether it had exit code 0. Nothing outside of loopback is reached.
func cosign(args ...string) bool {
	command := exec.Command("./cosign", args...)
	command.Env = append(os.Environ(), "HOME="+must(os.Getwd()), "COSIGN_PASSWORD=", "HTTPS_PROXY=http://127.0.0.1:1")
	out, err := command.CombinedOutput()
	messages = string(out)
	return err == nil
}

func sign(image string) bool {
	return cosign("sign", "--yes", "--key", "key.key", "--signing-config", "config.json", "--allow-http-registry", image)
}

func yes(ok bool, words ...string) string {
	if ok {
		return words[0]
	}
	return words[1]
}

func isSigned(image string) string {
	return yes(cosign("verify", "--key", "key.pub", "--insecure-ignore-tlog", "--allow-http-registry", image), "yes", "no")
}

func try(referrers bool, copyImage func(from, to string) bool) (report string, tagIsImage bool, reason string) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers)))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	from, to := host+"/app:1", host+"/copy:1"
	must(0, crane.Push(must(random.Image(10, 1)), from))
	if !sign(from) {
		panic(messages)
	}
	report = "source signed " + isSigned(from)
	report += "; copy " + yes(copyImage(from, to), "ok", "failed") + ", signed " + isSigned(to)
	digest := must(crane.Digest(to))
	tagged, err := crane.Digest(host + "/copy:" + strings.Replace(digest, ":", "-", 1))
	report += "; then signed " + yes(sign(to), "ok", "failed")
	if i := strings.Index(messages, "fallback tag"); i > 0 {
		reason = strings.SplitN(messages[i:], ":", 2)[0]
	}
	return report + ", signed " + isSigned(to), err == nil && tagged == digest, reason
}

func main() {
	if !cosign("generate-key-pair", "--output-key-prefix", "key") || !cosign("signing-config", "create", "--out", "config.json") {
		panic(messages)
	}
	with := func(from, to string) bool { return cosign("copy", "--allow-http-registry", from, to) }
	report, _, _ := try(true, with)
	want("with the referrers API", report, "source signed yes; copy ok, signed no; then signed ok, signed yes")
	report, tagIsImage, reason := try(false, with)
	want("without it", report, "source signed yes; copy ok, signed no; then signed failed, signed no")
	want("the tag sha256-HEX in the copy is the image", tagIsImage, true)
	want("the reason", reason, "fallback tag manifest is not an OCI image index")
	report, _, _ = try(false, func(from, to string) bool { return crane.Copy(from, to) == nil })
	want("without it, copied with crane", report, "source signed yes; copy ok, signed no; then signed ok, signed yes")
}
EOF
go build -o cosign github.com/sigstore/cosign/v3/cmd/cosign
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
