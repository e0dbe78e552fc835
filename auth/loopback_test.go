package auth

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// Hosts below localhost are this machine: calls and requests reach it whatever the
// resolver says, and never a proxy.
func TestNamesBelowLocalhost(t *testing.T) {
	isolate(t)
	calls := mintServer(t)
	t.Setenv("AWS_ENDPOINT_URL_ECR", strings.Replace(os.Getenv("AWS_ENDPOINT_URL_ECR"), "127.0.0.1", "api.ecr.localhost", 1))
	var password string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, password, _ = req.BasicAuth()
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	r := local
	r.Host = strings.Replace(strings.TrimPrefix(server.URL, "http://"), "127.0.0.1", "000000000000.dkr.ecr.us-east-1.localhost", 1)
	client := &http.Client{Transport: &Transport{Tokens: &Tokens{Minter: Minter{AWS: AWS{Registries: apiElsewhere(r)}}}, Registry: r}}
	response, err := client.Get(r.Scheme() + "://" + r.Host + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if calls.Load() != 1 || !strings.HasSuffix(password, "1") {
		t.Errorf("%d calls, password %q", calls.Load(), password)
	}
}
