//go:build trial && linux && !race

package transfertrial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/localecr"
)

// maxMemoryPlan is what the plan of 100,000 tags may need at most, in bytes.
const maxMemoryPlan = 256 * mib

// TestTrialMirrorScale plans 10,000 and 100,000 tags: the requests grow as the tags do, and the memory is bounded. The
// race detector would spend minutes on putting the images in, so it is run without.
func TestTrialMirrorScale(t *testing.T) {
	t.Parallel()
	requests := map[int]int{}
	for _, repositories := range []int{100, 1000} {
		s := start(t, localecr.Options{})
		putSmall(t, s, repositories, 100)
		config := s.mirrorConfig(t, "copy")
		saved := filepath.Join(t.TempDir(), "plan.json")
		s.calls.Reset()
		s.memory(t, maxMemoryPlan, "--output", "json", "mirror", "plan", config, "--save", saved)
		requests[repositories] = len(s.calls.Calls())
		t.Logf("%d tags: %v", 100*repositories, s.counts())
		info, err := os.Stat(saved)
		check(t, err)
		t.Logf("%d tags: a plan of %.1f MiB", 100*repositories, float64(info.Size())/mib)
		s.calls.Reset()
		s.memory(t, maxMemoryPlan, "--output", "json", "mirror", "plan", config, "--shard", "3/8")
		t.Logf("%d tags, shard 3/8: %v", 100*repositories, s.counts())
	}
	if few, many := requests[100], requests[1000]; many > 10*few {
		t.Errorf("%d requests for 10,000 tags, %d for 100,000", few, many)
	}
}

// putSmall puts in images that differ in an annotation only, so that putting them in takes one request each. Many
// repositories at once share the transactions of the local ECR.
func putSmall(t *testing.T, s *site, repositories, tags int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(64)
	for i := range repositories {
		group.Go(func() error { return putTags(ctx, s, fmt.Sprintf("src/repo%04d", i), tags) })
	}
	check(t, group.Wait())
}

// putTags puts so many images into one repository.
func putTags(ctx context.Context, s *site, name string, tags int) error {
	r, err := s.server.Repository(ctx, name)
	if err != nil {
		return err
	}
	config, layer := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}`), bytesOf(100, name)
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers: []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromBytes(layer), Size: int64(len(layer))}}}
	for d, data := range map[digest.Digest][]byte{m.Config.Digest: config, m.Layers[0].Digest: layer} {
		if err := r.PutLayer(ctx, string(d), bytes.NewReader(data)); err != nil {
			return err
		}
	}
	for tag := range tags {
		m.Annotations = map[string]string{"tag": fmt.Sprint(tag)}
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := r.PutManifest(ctx, fmt.Sprintf("v%d.0.0", tag), m.MediaType, data); err != nil {
			return err
		}
	}
	return nil
}

// counts are the calls by operation.
func (s *site) counts() map[string]int {
	counts := map[string]int{}
	for _, c := range s.calls.Calls() {
		counts[c.Op]++
	}
	return counts
}
