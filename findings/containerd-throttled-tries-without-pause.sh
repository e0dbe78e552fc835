#!/usr/bin/env bash
# containerd answers "429 Too Many Requests" with four more requests at once, and then fails.
#
# Guess:   a client that is throttled waits, as long as Retry-After says if the registry sends it, and goes on.
# Because: that is the meaning of the status and the header (RFC 6585, section 4; RFC 9110, 10.2.3), distribution-spec
#          names 429 for it (TOOMANYREQUESTS), and containerd does try again.
# Really:  each request that is throttled is sent five times without a pause, whatever Retry-After says, so a quota that
#          is nearly used up is used up five times as fast, and a pull fails that one second would have saved. oras-go
#          and regclient wait as long as they are asked to. crane waits 1 and 3 seconds, and does not read the header.
# Seen:    2026-11-30, Go 1.26.8, containerd v2.4.2, oras-go v2.7.0, regclient v0.11.7, go-containerregistry v0.22.1
#          (its registry is the server too, and is throttled for one second)
# Output:  containerd: error, 5 requests
#          oras-go: <nil>, 2 requests
#          regclient: <nil>, 2 requests
#          crane: <nil>
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/containerd/containerd/v2 v2.4.2
	github.com/google/go-containerregistry v0.22.1
	github.com/regclient/regclient v0.11.7
	oras.land/oras-go/v2 v2.7.0
)
EOM
cat > main.go <<'EOM'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/ref"
	"oras.land/oras-go/v2/registry/remote"
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

// throttled is a registry that refuses manifests until a second has passed since the first request.
type throttled struct {
	http.Handler
	mutex sync.Mutex
	first time.Time
	calls int
}

func (t *throttled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/manifests/") && r.Method != http.MethodPut {
		t.mutex.Lock()
		if t.calls == 0 {
			t.first = time.Now()
		}
		t.calls++
		refuse := time.Since(t.first) < time.Second
		t.mutex.Unlock()
		if refuse {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"errors": [{"code": "TOOMANYREQUESTS", "message": "Rate exceeded"}]}`)
			return
		}
	}
	t.Handler.ServeHTTP(w, r)
}

func main() {
	ctx := context.Background()
	server := &throttled{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	listening := httptest.NewServer(server)
	defer listening.Close()
	host := strings.TrimPrefix(listening.URL, "http://")
	must(0, crane.Push(must(random.Image(100, 1)), host+"/app:1"))

	ask := func(f func() error) string {
		server.calls = 0
		outcome := "<nil>"
		if f() != nil {
			outcome = "error"
		}
		return fmt.Sprintf("%s, %d requests", outcome, server.calls)
	}
	want("containerd", ask(func() error {
		hosts := docker.ConfigureDefaultRegistries(docker.WithPlainHTTP(docker.MatchAllHosts))
		_, _, err := docker.NewResolver(docker.ResolverOptions{Hosts: hosts}).Resolve(ctx, host+"/app:1")
		return err
	}), "error, 5 requests")
	want("oras-go", ask(func() error {
		repository := must(remote.NewRepository(host + "/app"))
		repository.PlainHTTP = true
		_, err := repository.Resolve(ctx, "1")
		return err
	}), "<nil>, 2 requests")
	want("regclient", ask(func() error {
		client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
		_, err := client.ManifestHead(ctx, must(ref.New(host+"/app:1")))
		return err
	}), "<nil>, 2 requests")
	server.calls = 0
	_, err := crane.Digest(host + "/app:1")
	want("crane", err, "<nil>")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding 2> log
