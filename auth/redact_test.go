package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// The password of a URL is in no error, no log, no plan and no listing.
func TestPasswordsOfURLs(t *testing.T) {
	const secret = "canary-url"
	var shown strings.Builder
	for _, host := range []string{"https://user:" + secret + "@docker.io/v2/", "user:" + secret + "@ghcr.io", "user:" + secret + "@host:port", "https://" + secret + "@" + account1 + ".dkr.ecr.us-east-1.evil.com"} {
		_, err := Registries{Rules: []Rule{{Host: "docker.io", Disabled: true}}}.Parse(host)
		fmt.Fprintln(&shown, err)
		_, err = ParseRegistry(host, nil)
		fmt.Fprintln(&shown, err)
		_, err = ParseMapping(host + "=000000000000.us-east-1")
		fmt.Fprintln(&shown, err)
	}
	for _, endpoint := range []string{"ftp://user:" + secret + "@x", "https://user:" + secret + "@x y", "user:" + secret + "@x"} {
		rule := Rule{Host: "x", Endpoint: endpoint}
		fmt.Fprintln(&shown, rule.Validate())
	}
	if strings.Contains(shown.String(), secret) {
		t.Errorf("shown:\n%s", &shown)
	}

	isolate(t)
	mintServer(t)
	endpoint := strings.Replace(os.Getenv("AWS_ENDPOINT_URL_ECR"), "//", "//user:"+secret+"@", 1)
	t.Setenv("AWS_ENDPOINT_URL_ECR", endpoint)
	var log bytes.Buffer
	tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if _, err := tokens.Token(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	plan, err := tokens.Minter.AWS.Plan(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	items, err := tokens.Store.List()
	if err != nil || len(items) != 1 || !strings.Contains(items[0].Entry.Endpoint, "127.0.0.1") {
		t.Fatalf("%+v, %v", items, err)
	}
	t.Setenv("AWS_ENDPOINT_URL_ECR", "http://user:"+secret+"@127.0.0.1:1")
	_, failed := new(Minter).Token(t.Context(), local)
	t.Setenv("AWS_ENDPOINT_URL_ECR", "http://user:"+secret+"@127.0.0.1:x")
	_, garbled := new(Minter).Token(t.Context(), local)
	for what, text := range map[string]string{"log": log.String(), "endpoint": plan.Endpoint.URL, "listing": fmt.Sprintf("%+v", items[0].Entry.Endpoint),
		"unreachable": fmt.Sprint(failed), "garbled": fmt.Sprint(garbled), "described": Redact(errors.New("see https://u:" + secret + "@x/").Error())} {
		if text == "" || text == "<nil>" || strings.Contains(text, secret) {
			t.Errorf("%s: %s", what, text)
		}
	}
}
