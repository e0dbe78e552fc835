package transfer

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// withoutLargest is a layout without its largest blob.
type withoutLargest struct {
	*layout.Layout
	largest digest.Digest
}

func (p withoutLargest) HasBlob(d content.Descriptor) bool { return d.Digest != p.largest }

// A blob that only one repository was sent comes to the others from there, whichever copy begins first, and whether or not it is
// mounted. If it does not arrive, none waits for it for ever.
func TestExpectedBlobs(t *testing.T) {
	t.Parallel()
	for _, mounting := range []string{"ENABLED", "DISABLED"} {
		for _, arrives := range []bool{true, false} {
			t.Run(fmt.Sprint("mounting ", mounting, ", arrives ", arrives), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, localecr.Options{})
				_, err := auth.NewClient(w.Config, w.Registry).PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: &mounting})
				fixture.Check(t, err)
				dir, image := fixture.NewImage(t, 200_000, 70_000, 100)
				layers, err := image.Layers()
				fixture.Check(t, err)
				size, err := layers[0].Size()
				fixture.Check(t, err)
				hash, err := layers[0].Digest()
				fixture.Check(t, err)
				large := content.Descriptor{MediaType: "application/octet-stream", Digest: digest.Digest(hash.String()), Size: size}
				src := withoutLargest{layout.New(dir), large.Digest}
				var targets []content.Target
				for i := range sharing {
					w.Create(fmt.Sprint("shared", i), "MUTABLE")
					targets = append(targets, w.v2Repository(fmt.Sprint("shared", i)))
				}
				first := targets[0]
				data, err := src.Blob(t.Context(), large)
				fixture.Check(t, err)
				defer data.Close()
				fixture.Check(t, PutBlob(t.Context(), first, large, data, Options{}))
				shared := NewSharedBlobs()
				shared.Expect(first, []digest.Digest{large.Digest})
				var running sync.WaitGroup
				begun := make(chan struct{}, sharing)
				for _, target := range targets[1:] {
					running.Go(func() {
						begun <- struct{}{}
						_, err := Copy(t.Context(), src, target, Options{Reference: "x", Tags: []string{"x"}, Shared: shared})
						if arrives && err != nil {
							t.Errorf("%s: %v", target, err)
						}
						_, found := target.(content.Source).Resolve(t.Context(), "x")
						if !arrives && err == nil != (found == nil) {
							t.Errorf("%s: the copy ends with %v, and the image is there: %v", target, err, found)
						}
					})
				}
				for range sharing - 1 {
					<-begun
				}
				if arrives {
					_, err = Copy(t.Context(), src, first, Options{Reference: "x", Tags: []string{"x"}, Shared: shared})
					fixture.Check(t, err)
				}
				shared.Ended(first)
				running.Wait()
				if _, err := first.(content.Source).Resolve(t.Context(), "x"); arrives == errors.Is(err, content.ErrNotFound) {
					t.Error(err)
				}
				if len(shared.expecting) > 0 {
					t.Error(shared.expecting)
				}
				for key, b := range shared.blobs {
					if b.stored == nil || b.owner != nil || len(b.waiting) > 0 || b.expected != "" {
						t.Errorf("%s is not settled: %+v", key.digest, b)
					}
				}
				if arrives {
					for _, target := range targets {
						fixture.Check(t, pullable(t, target.(content.Source)))
					}
				}
			})
		}
	}
}
