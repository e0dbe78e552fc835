#!/usr/bin/env bash
# An image that cosign 3 has signed is unsigned for Podman, Skopeo and CRI-O: "A signature was required, but no signature
# exists".
#
# Guess:   with "use-sigstore-attachments: true" and the public key in a policy "sigstoreSigned", an image is accepted that
#          "cosign verify --key" accepts.
# Because: containers-policy.json(5) has this requirement for Sigstore signatures, both are of this year, and signatures in
#          cosign's former format are accepted.
# Really:  cosign 3 writes a bundle that refers to the image. The library of these programs looks for the tag
#          sha256-HEX.sig, and asks for no referrers. A build that gets a new cosign makes images that each node with such
#          a policy refuses, while "cosign verify" in the same pipeline is content. Signing with
#          --new-bundle-format=false makes the tag.
# Seen:    2026-12-01, Go 1.26.8, cosign v3.1.3, go.podman.io/image/v5 v5.42.1, go-containerregistry's registry v0.22.1
#          with the referrers API as the server
# Output:  signed: cosign verify: yes, policy: A signature was required, but no signature exists
#          signed with --new-bundle-format=false: cosign verify: yes, policy: accepted
#          requests for referrers by the policy: 0
set -euo pipefail
export GOFLAGS='-mod=mod -tags=containers_image_openpgp' GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir cosign policy
cat > cosign/go.mod <<'EOM'
module cosign

go 1.26

require github.com/sigstore/cosign/v3 v3.1.3

tool github.com/sigstore/cosign/v3/cmd/cosign
EOM
cat > policy/go.mod <<'EOM'
module policy

go 1.26

require (
	github.com/google/go-containerregistry v0.22.1
	go.podman.io/image/v5 v5.42.1
)
EOM
cat > policy/main.go <<'EOM'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
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

// cosign runs a command of cosign. Nothing outside of loopback is reached.
func cosign(args ...string) error {
	command := exec.Command("./bin/cosign", args...)
	command.Env = append(os.Environ(), "HOME="+must(os.Getwd()), "COSIGN_PASSWORD=", "HTTPS_PROXY=http://127.0.0.1:1")
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func main() {
	ctx := context.Background()
	asked := 0
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			asked++
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	must(0, cosign("generate-key-pair", "--output-key-prefix", "key"))
	must(0, cosign("signing-config", "create", "--out", "config.json"))
	must(0, os.Mkdir("registries.d", 0o755))
	must(0, os.WriteFile("registries.d/default.yaml", []byte("default-docker: {use-sigstore-attachments: true}"), 0o644))
	system := &types.SystemContext{DockerInsecureSkipTLSVerify: types.OptionalBoolTrue, RegistriesDirPath: "registries.d"}
	policy := must(signature.NewPolicyContext(must(signature.NewPolicyFromBytes([]byte(`{"default": [{"type": "sigstoreSigned",
		"keyPath": "key.pub", "signedIdentity": {"type": "matchRepository"}}]}`)))))

	total := 0
	check := func(tag string, options ...string) string {
		name := host + "/app:" + tag
		must(0, crane.Push(must(random.Image(100, 1)), name))
		must(0, cosign(append([]string{"sign", "--yes", "--key", "key.key", "--allow-http-registry"}, append(options, name)...)...))
		verified := "no"
		if cosign("verify", "--key", "key.pub", "--insecure-ignore-tlog", "--allow-http-registry", name) == nil {
			verified = "yes"
		}
		before := asked
		source := must(must(docker.ParseReference("//"+name)).NewImageSource(ctx, system))
		defer source.Close()
		outcome := "accepted"
		if _, err := policy.IsRunningImageAllowed(ctx, image.UnparsedInstance(source, nil)); err != nil {
			outcome = err.Error()
		}
		total += asked - before
		return fmt.Sprintf("cosign verify: %s, policy: %s", verified, outcome)
	}
	want("signed", check("1", "--signing-config", "config.json"),
		"cosign verify: yes, policy: A signature was required, but no signature exists")
	want("signed with --new-bundle-format=false",
		check("2", "--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"),
		"cosign verify: yes, policy: accepted")
	want("requests for referrers by the policy", total, 0)
}
EOM
mkdir bin
(cd cosign && go build -o ../bin/cosign github.com/sigstore/cosign/v3/cmd/cosign)
(cd policy && go build -o ../bin/finding .)
grep -hv indirect cosign/go.mod policy/go.mod | grep ' v[0-9]'
./bin/finding
