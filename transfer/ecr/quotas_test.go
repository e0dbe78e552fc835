package ecr

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// quotaImages is the variable that has [TestPushWithinQuotas] push more images than
// it does in a few seconds.
const quotaImages = "ECRKIT_TEST_QUOTA_IMAGES"

// TestPushWithinQuotas pushes small images in parallel to a registry with the
// quotas of AWS: none fails, and hardly a call is refused as one too many.
func TestPushWithinQuotas(t *testing.T) {
	t.Parallel()
	images := 25
	if s := os.Getenv(quotaImages); s != "" {
		var err error
		images, err = strconv.Atoi(s)
		fixture.Check(t, err)
	}
	for _, mode := range []UploadMode{UploadNative, UploadV2} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, localecr.Options{Quotas: localecr.DefaultQuotas()})
			src := filepath.Join(t.TempDir(), "src")
			p, err := ggcrlayout.Write(src, fixture.EmptyIndex(t))
			fixture.Check(t, err)
			for i := range images {
				image := fixture.Image(t, make([]int64, 1+i%2)...)
				fixture.Check(t, p.AppendImage(image, ggcrlayout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": fmt.Sprint(i)})))
			}
			v2 := w.V2Transport()
			limits := NewLimits()
			began := time.Now()
			todo := make(chan string, images)
			for i := range images {
				todo <- fmt.Sprint(i)
			}
			close(todo)
			var failures, retries atomic.Int64
			var group sync.WaitGroup
			for range 16 {
				group.Go(func() {
					for tag := range todo {
						e := New(w.Config, w.Registry, "app")
						e.Limits, e.Upload = limits, mode
						e.V2 = v2
						result, err := transfer.Copy(fixture.Context(t), layout.New(src), e, transfer.Options{Reference: tag, Tags: []string{tag}})
						if err != nil {
							failures.Add(1)
							t.Error(err)
						}
						retries.Add(int64(result.Retries))
					}
				})
			}
			group.Wait()
			took := time.Since(began)
			calls, throttled := 0, 0
			for _, c := range w.Calls.Calls() {
				calls++
				if c.Status == http.StatusTooManyRequests || strings.HasPrefix(c.Error, "ThrottlingException") {
					throttled++
				}
			}
			quota := localecr.DefaultQuotas()["PutImage"]
			allowed := float64(max(images-quota.Burst, 0)) / quota.Rate
			t.Logf("%d images in %.1f s: %d failures, %d of %d calls throttled (%.2f%%), %d retries; %.0f%% of the allowed rate of PutImage",
				images, took.Seconds(), failures.Load(), throttled, calls, 100*float64(throttled)/float64(calls), retries.Load(), 100*allowed/took.Seconds())
			if throttled*100 > calls {
				t.Errorf("%d of %d calls were refused as one too many", throttled, calls)
			}
			if n := w.Calls.Count("PutImage"); n < images {
				t.Errorf("%d images were put", n)
			}
		})
	}
}
