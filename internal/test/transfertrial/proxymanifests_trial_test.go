//go:build linux && trial

package transfertrial

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestTrialProxyManifests pushes 16 manifests of 3.25 MiB at once through the proxy, and pulls them at once: it takes little
// memory. To push takes more: the SDK has the request and the answer, which repeats the manifest.
func TestTrialProxyManifests(t *testing.T) {
	m := makeImage(t, sparse, kib)
	s := start(t, localecr.Options{})
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	text, err := os.ReadFile(filepath.Join(m.dir, "blobs", "sha256", m.digest.Encoded()))
	check(t, err)
	each := strings.TrimSuffix(string(text), "}") + `,"annotations":{"n":"%d","padding":"` + strings.Repeat("a", 3*mib+mib/4-len(text)) + `"}}`
	for _, c := range []struct {
		step string
		most int64 // bytes
	}{{http.MethodPut, 80 * mib}, {http.MethodGet, maxMemory}, {http.MethodHead, maxMemory}} {
		step := c.step
		p := s.startProxy(t.TempDir(), 1<<30, "--allow-push")
		var clients sync.WaitGroup
		for i := range 16 {
			clients.Go(func() {
				url := fmt.Sprintf("%s/manifests/large-%d", p.repository("app"), i)
				var body io.Reader
				if step == http.MethodPut {
					body = strings.NewReader(fmt.Sprintf(each, i))
				}
				request, err := http.NewRequestWithContext(t.Context(), step, url, body)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode >= 300 {
					t.Errorf("%s: status %d, %v: %.200s", step, response.StatusCode, err, text)
				}
			})
		}
		clients.Wait()
		peak := p.peak()
		p.stop()
		t.Logf("%s: peak RSS %.1f MiB", step, float64(peak)/mib)
		if peak > c.most {
			t.Errorf("%s: peak RSS %d KiB, limit %d KiB", step, peak/kib, c.most/kib)
		}
	}
}
