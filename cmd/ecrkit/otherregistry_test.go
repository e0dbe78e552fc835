package main

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/localecr"
)

// startOtherRegistry is "otherregistry": one that is not Amazon ECR, at $OTHER.
func startOtherRegistry(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // https is tried too
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv("OTHER", strings.TrimPrefix(server.URL, "http://"))
}

// startOtherECR is "otherecr": another local ECR, at $OTHER_ECR, which $ECRKIT_REGISTRIES
// maps too. $AWS_ENDPOINT_URL_ECR stays that of the first.
func startOtherECR(ts *testscript.TestScript, _ bool, _ []string) {
	server, err := localecr.New(localecr.Options{})
	ts.Check(err)
	server.Start(otherTB{ts})
	ts.Setenv("OTHER_ECR", server.Registry)
	ts.Setenv("ECRKIT_REGISTRIES", ts.Getenv("ECRKIT_REGISTRIES")+","+server.Registry+"=000000000000."+localecr.DefaultRegion)
}

// otherTB lets it end with the script.
type otherTB struct{ ts *testscript.TestScript }

func (tb otherTB) Helper()                           {}
func (tb otherTB) Cleanup(f func())                  { tb.ts.Defer(f) }
func (tb otherTB) Fatalf(format string, args ...any) { tb.ts.Fatalf(format, args...) }
