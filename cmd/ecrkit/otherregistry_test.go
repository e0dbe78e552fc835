package main

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// startOtherRegistry is "otherregistry": one that is not Amazon ECR, at $OTHER.
func startOtherRegistry(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // https is tried too
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv("OTHER", strings.TrimPrefix(server.URL, "http://"))
}
