#!/usr/bin/env bash
# A registry that offers two ways to log in is closed to some clients, depending on how it writes the same header.
#
# Guess:   a registry behind a company's login answers 401 with the challenges "Negotiate" and "Bearer realm=…". A
#          client takes the one that it knows, as browsers do. One header line with a comma or two lines, "realm" or
#          "Realm": no difference.
# Because: RFC 9110 (11.6.1) says that both forms mean the same, in any order, and that names of parameters are not
#          case-sensitive. distribution-spec refers to it.
# Really:  oras-go reads the first header line only, and fails with 401 although it could log in; with "Realm" it asks
#          an address without a host. On one line, go-containerregistry and containerd fail too if "Bearer" is not the
#          first: they read one challenge from each line. regclient reads all forms. So a proxy that joins header lines
#          decides which clients work.
# Seen:    2026-11-30, Go 1.26.8, containerd v2.4.2, go-containerregistry v0.22.1, oras-go v2.7.0, regclient v0.11.7
# Output:  Bearer alone: containerd yes, go-containerregistry yes, oras-go yes, regclient yes
#          two lines, Bearer first: containerd yes, go-containerregistry yes, oras-go yes, regclient yes
#          two lines, Bearer second: containerd yes, go-containerregistry yes, oras-go no, regclient yes
#          one line, Bearer first: containerd yes, go-containerregistry yes, oras-go yes, regclient yes
#          one line, Bearer second: containerd no, go-containerregistry no, oras-go no, regclient yes
#          Realm: containerd yes, go-containerregistry yes, oras-go no, regclient yes
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
	github.com/google/go-containerregistry v0.22.1
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

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/log"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/ref"
	orasremote "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

const (
	manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`
	digest   = "sha256:1ccb399e44f3e0ec86bb1a95031c6b9f81ac77860556a81a90acb79bab8005d9"
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

// registry is one that sends these challenges to all who have no token; BEARER stands for that of its token server.
func registry(challenges ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer := fmt.Sprintf(`Bearer realm="http://%s/token",service="registry"`, r.Host)
		switch {
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"token": "example", "access_token": "example"}`)
		case r.Header.Get("Authorization") != "Bearer example":
			for _, challenge := range challenges {
				challenge = strings.Replace(challenge, "BEARER", bearer, 1)
				w.Header().Add("WWW-Authenticate", strings.Replace(challenge, "REALM", strings.Replace(bearer, "realm", "Realm", 1), 1))
			}
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/v2/app/manifests/1":
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", digest)
			fmt.Fprint(w, manifest)
		}
	})
}

func clients(challenges ...string) string {
	ctx := context.Background()
	server := httptest.NewServer(registry(challenges...))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	reference := host + "/app:1"
	answer := func(err error) string {
		if err != nil {
			return "no"
		}
		return "yes"
	}

	authorizer := docker.NewDockerAuthorizer(docker.WithAuthCreds(func(string) (string, string, error) { return "user", "example", nil }))
	resolver := docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(
		docker.WithPlainHTTP(docker.MatchAllHosts), docker.WithAuthorizer(authorizer))})
	_, _, containerd := resolver.Resolve(ctx, reference)

	_, ggcr := remote.Head(must(name.ParseReference(reference)), remote.WithAuth(&authn.Basic{Username: "user", Password: "example"}))

	repository := must(orasremote.NewRepository(host + "/app"))
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(host, auth.Credential{Username: "user", Password: "example"})}
	_, oras := repository.Resolve(ctx, "1")

	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled, User: "user", Pass: "example"}))
	_, regctl := client.ManifestHead(ctx, must(ref.New(reference)))

	return fmt.Sprintf("containerd %s, go-containerregistry %s, oras-go %s, regclient %s", answer(containerd), answer(ggcr), answer(oras), answer(regctl))
}

func main() {
	must(0, log.SetLevel("panic"))
	want("Bearer alone", clients("BEARER"), "containerd yes, go-containerregistry yes, oras-go yes, regclient yes")
	want("two lines, Bearer first", clients("BEARER", "Negotiate"), "containerd yes, go-containerregistry yes, oras-go yes, regclient yes")
	want("two lines, Bearer second", clients("Negotiate", "BEARER"), "containerd yes, go-containerregistry yes, oras-go no, regclient yes")
	want("one line, Bearer first", clients("BEARER, Negotiate"), "containerd yes, go-containerregistry yes, oras-go yes, regclient yes")
	want("one line, Bearer second", clients("Negotiate, BEARER"), "containerd no, go-containerregistry no, oras-go no, regclient yes")
	want("Realm", clients("REALM"), "containerd yes, go-containerregistry yes, oras-go no, regclient yes")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
