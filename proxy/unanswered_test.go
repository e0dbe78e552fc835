package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// unanswering is a registry that takes requests and never answers some of them.
type unanswering func(path string) bool

func (s unanswering) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s(r.URL.Path) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestSilentRegistry has clients come one after the other to a registry that never answers: each has an answer within two
// minutes, also those that wait for the answer to another one's request, and how long it was.
func TestSilentRegistry(t *testing.T) {
	t.Parallel()
	d := string(digest.FromString("x"))
	for name, quiet := range map[string]unanswering{
		"everything":    func(string) bool { return true },
		"all but login": func(path string) bool { return path != "/v2/" },
	} {
		for _, path := range []string{"/manifests/1.0", "/manifests/" + d, "/blobs/" + d, "/tags/list", "/referrers/" + d} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					src, err := registry.New("127.0.0.1:4510", "app", registry.Options{Transport: quiet})
					if err != nil {
						t.Fatal(err)
					}
					h := newRefusing(t, &refusing{upstream: newUpstream(1 << 10)}, &warnings{}, func(o *Options) {
						o.Open = func(context.Context, string, string) (content.Source, error) { return src, nil }
					})
					var clients sync.WaitGroup
					for n := range 3 {
						clients.Go(func() {
							time.Sleep(time.Duration(n) * 70 * time.Second)
							answer, took := get(t, h, "/v2/127.0.0.1_4510/app"+path)
							if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "30" || took > 2*refusedFor+time.Second {
								t.Errorf("client %d: status %d after %s: %s", n, answer.Code, took, answer.Body)
							}
							if long := " for " + fmt.Sprintf("%.0f seconds", took.Seconds()) + "; "; !strings.Contains(answer.Body.String(), long) {
								t.Errorf("client %d: %s, want%s", n, answer.Body, long)
							}
						})
					}
					clients.Wait()
				})
			})
		}
	}
}
