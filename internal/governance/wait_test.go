package governance

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestLimitOfWaits has a registry that throttles each request of an operation, or stalls in
// each, for longer than the limit of a wait.
func TestLimitOfWaits(t *testing.T) {
	t.Parallel()
	waits := map[string]func(context.Context, *governed, time.Duration) error{
		"scans": func(ctx context.Context, g *governed, limit time.Duration) error {
			var images []ScannedImage
			for range scansAtOnce + 2 {
				images = append(images, ScannedImage{Digest: g.empty["app"].Digest})
			}
			_, err := g.Scans(ctx, "app", images, ScanWait{Limit: limit, Start: true})
			return err
		},
		"preview": func(ctx context.Context, g *governed, limit time.Duration) error {
			_, _, err := g.LifecyclePreview(ctx, "app", untaggedPolicy, limit)
			return err
		},
		"signing": func(ctx context.Context, g *governed, limit time.Duration) error {
			_, err := g.WaitSigned(ctx, "app", content.ImageName{Tag: "1"}, limit)
			return err
		},
	}
	for op, wait := range map[string]string{
		"DescribeImageScanFindings": "scans", "StartImageScan": "scans",
		"StartLifecyclePolicyPreview": "preview", "GetLifecyclePolicyPreview": "preview",
		"DescribeImageSigningStatus": "signing",
	} {
		for kind, fault := range map[string]localecr.Fault{
			"throttled": {Op: op, Count: -1, Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"},
			"stalls":    {Op: op, Count: -1, Stall: time.Hour},
			"broken":    {Op: op, Count: -1, Status: 500},
		} {
			limit := 4 * time.Minute
			if kind == "broken" { // all tries of a call take less, so that more calls follow
				limit = time.Minute
			}
			t.Run(op+" "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					g := newScanned(t, localecr.Options{}, ScanBasic)
					g.empty["app"] = g.image("app", "a", "1")
					g.check(g.server.SetFaults(fault))
					began := time.Now()
					if err := waits[wait](t.Context(), g, limit); err == nil {
						t.Error("no error")
					}
					if took := time.Since(began); took > limit+lastLook || took < limit/2 {
						t.Errorf("the wait ended after %v", took)
					}
				})
			})
		}
	}
}
