#!/usr/bin/env bash
# In a cluster, a pull secret for "registry.example.com/team" is also the one for "registry.example.com/team-b/app", and
# hides the right one.
#
# Guess:   a secret for HOST/team is for HOST/team/… . For team-b/app, the secret for HOST is used. Of two secrets for one
#          host, the second is tried if the registry refuses the first.
# Because: a path has parts, containers-auth.json(5) compares the same keys by them, and Kubernetes documents that the
#          kubelet tries each secret that matches.
# Really:  go-containerregistry's keychain for Kubernetes, which programs in the cluster use to read images with the pull
#          secrets of a service account, compares the beginnings of texts and returns one login, that of the longest key.
#          A secret for one team breaks the pulls for each team whose name begins like it, and the programs report that
#          an image cannot be read that a secret of its namespace is for.
# Seen:    2026-11-30, Go 1.26.8, go-containerregistry v0.22.1, its authn/kubernetes v0.0.0-20260224031529-85f2bf5f7303
# Output:  team/app: login of team
#          team-b/app: login of team
#          team-b/app, only the secret for the host: login of host
#          team-b/app, with a secret of its own: login of team-b
#          two secrets for the host: login of old
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
	github.com/google/go-containerregistry/pkg/authn/kubernetes v0.0.0-20260224031529-85f2bf5f7303
	k8s.io/api v0.35.1
)
EOM
cat > main.go <<'EOM'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	core "k8s.io/api/core/v1"
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

// secret is a pull secret, as "kubectl create secret docker-registry" makes it.
func secret(key, user string) core.Secret {
	config := fmt.Sprintf(`{"auths": {"registry.example.com%s": {"username": %q, "password": "example"}}}`, key, user)
	return core.Secret{Type: core.SecretTypeDockerConfigJson, Data: map[string][]byte{core.DockerConfigJsonKey: []byte(config)}}
}

func login(repository string, secrets ...core.Secret) string {
	ctx := context.Background()
	keychain := must(kubernetes.NewFromPullSecrets(ctx, secrets))
	found := must(authn.Resolve(ctx, keychain, must(name.NewRepository("registry.example.com/"+repository))))
	return "login of " + must(authn.Authorization(ctx, found)).Username
}

func main() {
	host, team := secret("", "host"), secret("/team", "team")
	want("team/app", login("team/app", host, team), "login of team")
	want("team-b/app", login("team-b/app", host, team), "login of team")
	want("team-b/app, only the secret for the host", login("team-b/app", host), "login of host")
	want("team-b/app, with a secret of its own", login("team-b/app", host, team, secret("/team-b", "team-b")), "login of team-b")
	want("two secrets for the host", login("team/app", secret("", "old"), secret("", "new")), "login of old")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
