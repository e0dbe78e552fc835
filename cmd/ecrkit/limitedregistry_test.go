package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// startLimitedRegistry is "limitedregistry NAME PULLS": a registry at $NAME that is not Amazon ECR and, like Docker Hub, allows so many
// GETs of manifests in six hours. Those of tags that list referrers do not count: there are none.
func startLimitedRegistry(ts *testscript.TestScript, _ bool, args []string) {
	limit, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	next := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	pulls := new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") && !strings.Contains(r.URL.Path, "/manifests/sha256-") {
			w.Header().Set("ratelimit-limit", args[1]+";w=21600")
			if pulls.Add(1) > limit {
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`)
				return
			}
		}
		next.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // https is tried too
	server.Start()
	ts.Defer(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	limitedPulls.Store(host, pulls)
	ts.Setenv(args[0], host)
}

// limitedPulls are the pulls that limited registries have counted, by host.
var limitedPulls sync.Map

// newLimit is "newlimit NAME": six hours later, the registry at $NAME allows as many pulls again.
func newLimit(ts *testscript.TestScript, _ bool, args []string) {
	pulls, ok := limitedPulls.Load(ts.Getenv(args[0]))
	if !ok {
		ts.Fatalf("%s is not a limited registry", args[0])
	}
	pulls.(*atomic.Int64).Store(0)
}
