#!/usr/bin/env bash
# With two logins for paths of one registry, as "podman login HOST/team-a" writes them, Docker, oras and crane use one of
# them at random, for the other team and for the whole host too.
#
# Guess:   {"auths": {"HOST/team-a": …, "HOST/team-b": …}}: a program either knows keys with a path, and takes the one of
#          the image's path, or it knows hosts only, and finds no login for HOST.
# Because: podman, Skopeo and Kubernetes document such keys and go by the path. Docker documents hosts.
# Really:  Docker's package cuts the path off each key, for files of old versions, and takes the first key whose rest is
#          the host, in the order of a Go map. oras-go and go-containerregistry do the same; the latter knows a key that
#          is the whole repository, but no part of its path. So a pull of team-b/app fails now and then, with a login
#          that is right, and works when it is tried again. A third key "HOST" ends that: it wins in all three.
# Seen:    2026-11-30, Go 1.26.8, docker/cli v29.9.0, go-containerregistry v0.22.1, oras-go v2.7.0, regclient v0.11.7,
#          containers/image v5.42.1 (podman, Skopeo); each asked 1,000 times, with the configuration loaded again
# Output:  podman, team-a/app: team-a; team-b/app: team-b; other/app: nobody
#          Docker, the host: team-a team-b
#          oras-go, the host: team-a team-b
#          go-containerregistry, team-b/app: team-a team-b
#          go-containerregistry, other/app: team-a team-b
#          regclient, the host: nobody
#          with a key for the host: Docker everybody, oras-go everybody, go-containerregistry everybody
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/docker/cli v29.9.0+incompatible
	github.com/google/go-containerregistry v0.22.1
	github.com/regclient/regclient v0.11.7
	go.podman.io/image/v5 v5.42.1
	oras.land/oras-go/v2 v2.7.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	regconfig "github.com/regclient/regclient/config"
	"go.podman.io/image/v5/docker/reference"
	podmanconfig "go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

const host = "registry.example.com"

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

// store writes a configuration with a login for each of these keys.
func store(users map[string]string) {
	auths := map[string]any{}
	for key, user := range users {
		auths[key] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":example"))}
	}
	if err := os.WriteFile("config.json", must(json.Marshal(map[string]any{"auths": auths})), 0o600); err != nil {
		panic(err)
	}
}

// users asks often, and returns all answers.
func users(ask func() string) string {
	var found []string
	for range 1000 {
		user := ask()
		if user == "" {
			user = "nobody"
		}
		if !slices.Contains(found, user) {
			found = append(found, user)
		}
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func podman(repository string) string {
	return users(func() string {
		context := &types.SystemContext{AuthFilePath: "config.json"}
		return must(podmanconfig.GetCredentialsForRef(context, must(reference.ParseNormalizedNamed(host+"/"+repository)))).Username
	})
}

func docker() string {
	return users(func() string { return must(must(dockerconfig.Load(".")).GetAuthConfig(host)).Username })
}

func oras() string {
	return users(func() string {
		store := must(credentials.NewStore("config.json", credentials.StoreOptions{}))
		return must(credentials.Credential(store)(context.Background(), host)).Username
	})
}

func ggcr(repository string) string {
	return users(func() string {
		found := must(authn.DefaultKeychain.Resolve(must(name.NewRepository(host + "/" + repository))))
		return must(found.Authorization()).Username
	})
}

func regclient() string {
	return users(func() string {
		for _, h := range must(regconfig.DockerLoadFile("config.json")) {
			if h.Name == host {
				return h.User
			}
		}
		return ""
	})
}

func main() {
	os.Setenv("DOCKER_CONFIG", must(os.Getwd()))
	store(map[string]string{host + "/team-a": "team-a", host + "/team-b": "team-b"})
	want("podman, team-a/app", podman("team-a/app")+"; team-b/app: "+podman("team-b/app")+"; other/app: "+podman("other/app"),
		"team-a; team-b/app: team-b; other/app: nobody")
	want("Docker, the host", docker(), "team-a team-b")
	want("oras-go, the host", oras(), "team-a team-b")
	want("go-containerregistry, team-b/app", ggcr("team-b/app"), "team-a team-b")
	want("go-containerregistry, other/app", ggcr("other/app"), "team-a team-b")
	want("regclient, the host", regclient(), "nobody")
	store(map[string]string{host + "/team-a": "team-a", host + "/team-b": "team-b", host: "everybody"})
	want("with a key for the host", "Docker "+docker()+", oras-go "+oras()+", go-containerregistry "+ggcr("team-b/app"),
		"Docker everybody, oras-go everybody, go-containerregistry everybody")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u DOCKER_AUTH_CONFIG -u REGISTRY_AUTH_FILE HOME="$dir" ./finding
