#!/usr/bin/env bash
# A registry that mounts no layers and cancels no uploads makes regclient's copy a thousand times slower, without a
# message.
#
# Guess:   a copy between two repositories of one registry tries to mount each layer. If the registry answers 202 with
#          a new upload instead, regclient copies the layer. The copy takes about as long as a first push.
# Because: distribution-spec v1.1 has this answer for registries without mounting, and has no request that cancels an
#          upload: there, a DELETE of an upload may be refused. regclient ignores the error of that request.
# Really:  regclient cancels the new upload with a DELETE before it opens another one. A 405 for it is ignored by the
#          copy but counts as a failure of the host, like an overload: every further request waits up to 0.1 s × 2 to
#          the power of the failures so far. 20 layers took 5 minutes instead of 0.1 seconds. The exit code is 0.
# Seen:    2026-11-30, Go 1.26.8, regclient v0.11.7, go-containerregistry's registry v0.22.1 as the server
# Output:  DELETE is answered with 204: <nil>, 6 uploads cancelled, in less than 5 seconds: true
#          DELETE is answered with 405: <nil>, 6 uploads cancelled, in less than 5 seconds: false (18 seconds)
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
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
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

// copied copies an image of five layers from one repository to another, in a registry that opens an upload when a
// layer is to be mounted, and answers status when one is to be cancelled.
func copied(status int) string {
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var cancelled atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			cancelled.Add(1)
			w.WriteHeader(status)
			return
		case r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, "/v2/new/blobs/"):
			w.WriteHeader(http.StatusNotFound) // the store keeps the blobs of all repositories together
			return
		case r.Method == http.MethodPost:
			r.URL.RawQuery = "" // without mount and from
		}
		store.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if err := crane.Push(must(random.Image(100, 5)), host+"/old:1", crane.Insecure); err != nil {
		panic(err)
	}
	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
	start := time.Now()
	err := client.ImageCopy(context.Background(), must(ref.New(host+"/old:1")), must(ref.New(host+"/new:1")))
	took := time.Since(start)
	fmt.Println(took.Round(time.Second/10), "for the following copy")
	return fmt.Sprintf("%v, %d uploads cancelled, in less than 5 seconds: %v", err, cancelled.Load(), took < 5*time.Second)
}

func main() {
	want("DELETE is answered with 204", copied(http.StatusNoContent), "<nil>, 6 uploads cancelled, in less than 5 seconds: true")
	want("DELETE is answered with 405", copied(http.StatusMethodNotAllowed), "<nil>, 6 uploads cancelled, in less than 5 seconds: false")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
