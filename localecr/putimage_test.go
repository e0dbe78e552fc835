package localecr_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// BenchmarkPutImage pushes images over one shared layer from 8 clients for each core, by requests that are signed before.
func BenchmarkPutImage(b *testing.B) {
	r := newRig(b, localecr.Options{Dir: b.TempDir(), Audit: localecr.AuditTo(io.Discard, nil)})
	r.repository("app")
	config, layer := []byte("config"), []byte("layer")
	r.layer("app", config)
	r.layer("app", layer)
	requests := make([]*http.Request, b.N)
	for i := range requests {
		m := bytes.Replace(manifest(config, layer), []byte(`{`), fmt.Appendf(nil, `{"annotations":{"n":"%d"},`, i), 1)
		requests[i] = r.signed("PutImage", fmt.Sprintf(`{"repositoryName":"app","imageManifest":%q,"imageTag":"t%d"}`, m, i))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var next atomic.Int64
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			answer, err := client.Do(requests[next.Add(1)-1])
			if err != nil {
				b.Error(err)
				return
			}
			if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("%s %s %v", answer.Status, body, err)
			}
			answer.Body.Close()
		}
	})
}
