package registry

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestChallenges has a registry ask for credentials in the ways that RFC 9110 allows, and twice: the first token does
// not let its bearer push.
func TestChallenges(t *testing.T) {
	t.Parallel()
	src, image := fixture.NewImage(t, 1000)
	for name, fields := range map[string][]string{
		"alone":                    {"BEARER"},
		"behind another":           {"Negotiate, BEARER"},
		"before another":           {"BEARER, Negotiate"},
		"behind one with a text":   {`Negotiate YWJj==, BEARER`},
		"behind one with values":   {`Digest realm="x, y", nonce="a\"b", BEARER`},
		"with a parameter of none": {`Negotiate, BEARER, error=""`},
		"in the second field":      {`Digest realm="x"`, "Negotiate, BEARER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNeutralRegistry(t)
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" || r.URL.Query().Get("service") != "x" {
						w.WriteHeader(http.StatusForbidden)
						return true
					}
					fmt.Fprintf(w, `{"token":%q}`, "T"+strings.ReplaceAll(r.URL.Query().Get("scope"), " ", ""))
					return true
				}
				if strings.Contains(r.Header.Get("Authorization"), "Bearer Trepository:extra:pull") {
					return false
				}
				for _, field := range fields {
					bearer := fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, n.Host)
					if r.URL.Path != "/v2/" {
						bearer += `,scope="repository:extra:pull"`
					}
					w.Header().Add("WWW-Authenticate", strings.Replace(field, "BEARER", bearer, 1))
				}
				w.WriteHeader(http.StatusUnauthorized)
				return true
			})
			r := openTestRegistry(t, n.Host, "app", Options{Keychain: fixture.User{Name: "user", Password: "secret"}})
			if result := mustCopy(t, layout.New(src), r, transfer.Options{Reference: "x", Tags: []string{"1"}}); result.Digest != fixture.DigestOf(t, image) {
				t.Errorf("pushed %s", result.Digest)
			}
		})
	}
}
