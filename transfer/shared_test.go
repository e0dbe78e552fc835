package transfer

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

const sharing = 5 // repositories that share all blobs

// sharedImage is an image in several repositories of a registry whose requests are counted.
func sharedImage(t *testing.T) (src *neutralRegistry, dir string, image v1.Image) {
	t.Helper()
	src = newNeutralRegistry(t)
	dir, image = fixture.NewImage(t, 200_000, 70_000, 100)
	for i := range sharing {
		mustCopy(t, layout.New(dir), src.repository(fmt.Sprint("shared", i)), Options{Reference: "x", Tags: []string{"x"}})
	}
	src.Count("")
	return src, dir, image
}

// copyShared copies the image to several repositories of a registry at the same time.
func copyShared(t *testing.T, source func(i int) content.Source, targets []content.Target) (sent, mounted int) {
	t.Helper()
	shared := NewSharedBlobs()
	results := make([]Result, sharing)
	var running sync.WaitGroup
	for i := range sharing {
		src, dst := source(i), targets[i]
		running.Go(func() {
			var err error
			results[i], err = Copy(t.Context(), src, dst, Options{Reference: "x", Tags: []string{"x"}, Shared: shared})
			if err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for _, r := range results {
		sent, mounted = sent+r.BlobsSent, mounted+r.BlobsMounted
	}
	return sent, mounted
}

// blobsRead returns how often each blob was read from a registry, at most.
func (n *neutralRegistry) blobsRead() (most, all int) {
	counts := map[string]int{}
	for _, r := range n.Requests() {
		if strings.HasPrefix(r, "GET ") && strings.Contains(r, "/blobs/") {
			counts[r[strings.LastIndex(r, "/"):]]++
			all++
		}
	}
	for _, count := range counts {
		most = max(most, count)
	}
	return most, all
}

func TestSharedBlobsCrossOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ecr", "v2"} {
		for _, mounting := range []string{"ENABLED", "DISABLED"} {
			for _, from := range []string{"registry", "layout"} {
				t.Run(kind+" mounting "+mounting+" from "+from, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, localecr.Options{})
					_, err := auth.NewClient(w.Config, w.Registry).PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: &mounting})
					fixture.Check(t, err)
					src, dir, image := sharedImage(t)
					layers, err := image.Layers()
					fixture.Check(t, err)
					blobs := len(layers) + 1
					for i := range sharing {
						w.Create(fmt.Sprint("shared", i), "MUTABLE")
					}
					var targets []content.Target
					for i := range sharing {
						if name := fmt.Sprint("shared", i); kind == "v2" {
							targets = append(targets, w.v2Registry(name))
						} else {
							targets = append(targets, w.v2Repository(name))
						}
					}
					source := func(i int) content.Source {
						if from == "layout" {
							return layout.New(dir)
						}
						return src.repository(fmt.Sprint("shared", i))
					}
					w.Calls.Reset()
					sent, mounted := copyShared(t, source, targets)
					uploads := 0
					for _, call := range w.Calls.Calls() {
						if call.Op == "CompleteLayerUpload" || strings.HasPrefix(call.Op, "PUT /v2/{name}/blobs/uploads/") {
							uploads++
						}
					}
					if sent+mounted != sharing*blobs {
						t.Errorf("%d blobs sent and %d mounted of %d", sent, mounted, sharing*blobs)
					}
					if mounting == "ENABLED" && (sent != blobs || uploads != blobs) {
						t.Errorf("%d of %d blobs were sent with %d uploads, each is to be sent once", sent, blobs, uploads)
					}
					if mounting == "DISABLED" && mounted > 0 {
						t.Errorf("%d blobs were mounted", mounted)
					}
					if most, all := src.blobsRead(); from == "registry" && (most > 1 || all != blobs) {
						t.Errorf("%d blobs were read, one of them %d times, from a source with %d", all, most, blobs)
					}
					for _, target := range targets {
						fixture.Check(t, pullable(t, target.(content.Source)))
					}
				})
			}
		}
	}
}

// pullable reads all of the image x.
func pullable(t *testing.T, src content.Source) error {
	t.Helper()
	_, err := Copy(t.Context(), src, layout.New(t.TempDir()+"/dst"), Options{Reference: "x", Tags: []string{"x"}})
	return err
}

// If the copy that sends a blob fails, another one sends it; if the destination cannot be read, all read the source.
func TestSharedBlobsSurviveFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fails int32
		read  bool
	}{{"the first copies fail", 2, true}, {"the destination is not readable", 0, false}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			src, _, _ := sharedImage(t)
			far := newNeutralRegistry(t)
			var fails, failed atomic.Int32
			fails.Store(test.fails)
			far.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !test.read && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/sha256:") {
					w.WriteHeader(http.StatusForbidden)
					return true
				}
				if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && fails.Add(-1) >= 0 {
					w.WriteHeader(http.StatusForbidden)
					return true
				}
				return r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/blobs/") && notFound(w)
			})
			shared := NewSharedBlobs()
			var running sync.WaitGroup
			for i := range sharing {
				name := fmt.Sprint("shared", i)
				running.Go(func() {
					_, err := Copy(t.Context(), src.repository(name), far.repository(name), Options{Reference: "x", Tags: []string{"x"}, Shared: shared})
					if err != nil && test.fails == 0 {
						t.Error(err)
					} else if err != nil {
						failed.Add(1)
					}
				})
			}
			running.Wait()
			if failed.Load() != test.fails {
				t.Errorf("%d copies failed, not %d", failed.Load(), test.fails)
			}
			if len(shared.blobs) != 4 {
				t.Errorf("%d blobs are known", len(shared.blobs))
			}
			for key, b := range shared.blobs {
				if b.stored == nil || b.owner != nil || len(b.waiting) > 0 {
					t.Errorf("%s is not settled: %+v", key.digest, b)
				}
			}
		})
	}
}

// notFound makes every repository lack every blob: this registry has one store for all of them.
func notFound(w http.ResponseWriter) bool {
	w.WriteHeader(http.StatusNotFound)
	return true
}

// Several destinations in one registry take what they share from the first of them.
func TestSharedBlobsOfOneCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	_, err := auth.NewClient(w.Config, w.Registry).PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")})
	fixture.Check(t, err)
	src, _, _ := sharedImage(t)
	var dsts []Destination
	for _, name := range []string{"one/app", "two/app", "three/app"} {
		w.Create(name, "MUTABLE")
		dsts = append(dsts, Destination{Target: w.v2Repository(name), Tags: []string{"x"}})
	}
	for i, r := range CopyAll(t.Context(), src.repository("shared0"), dsts, Options{Reference: "x", Shared: NewSharedBlobs()}) {
		fixture.Check(t, r.Err)
		if i == 0 && r.BlobsSent != 4 || i > 0 && r.BlobsMounted != 4 {
			t.Errorf("%d: %d sent, %d mounted", i, r.BlobsSent, r.BlobsMounted)
		}
	}
	if most, _ := src.blobsRead(); most > 1 {
		t.Errorf("a blob was read %d times", most)
	}
}
