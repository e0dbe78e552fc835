package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/localecr"
)

// startOtherRegistry is "otherregistry [MODE]": one that is not Amazon ECR, at $OTHER. MODE
// is what it does otherwise than by the specification:
//
//	tokens     wants a token of a server on another port, $TOKENS, for anyone's password
//	nodelete   deletes nothing, like the registry of distribution without delete.enabled
//	distribution2 deletes by digest only, like that of distribution 2.8
//	readonly   takes no content, like the pull-through cache of distribution
//	nolist     lists neither repositories nor tags
func startOtherRegistry(ts *testscript.TestScript, _ bool, args []string) {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	refuse := func(w http.ResponseWriter, status int, code, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
	}
	mode, realm := strings.Join(args, " "), ""
	if mode == "tokens" {
		tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "secret" {
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong password")
				return
			}
			fmt.Fprint(w, `{"token":"bearer"}`)
		}))
		ts.Defer(tokens.Close)
		realm = tokens.URL + "/token"
		ts.Setenv("TOKENS", strings.TrimPrefix(tokens.URL, "http://"))
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		remove, read := r.Method == http.MethodDelete, r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case mode == "tokens" && r.Header.Get("Authorization") != "Bearer bearer":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="x"`, realm))
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		case mode == "nodelete" && remove, mode == "readonly" && !read:
			refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		case mode == "distribution2" && remove && !strings.Contains(r.URL.Path, "/sha256:"):
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		case mode == "nolist" && (strings.HasSuffix(r.URL.Path, "/_catalog") || strings.HasSuffix(r.URL.Path, "/tags/list")):
			refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		default:
			handler.ServeHTTP(w, r)
		}
	}))
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
