package mirror_test

import (
	"testing"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/mirror"
)

var amd64 = &ocispec.Platform{OS: "linux", Architecture: "amd64"}

// TestPruneKeepsWhatArrivingIndexesNeed has images at the destination that nothing there needs, and that an index names which
// comes: as a referrer, as a referrer of such a referrer's image, by a tag, or below another index. They stay, and all that
// refers to the image is planned.
func TestPruneKeepsWhatArrivingIndexesNeed(t *testing.T) {
	t.Parallel()
	child := func(t *testing.T, r *localecr.Repository, tag string) ocispec.Descriptor {
		return putImage(t, r, tag, "needed", amd64, nil)
	}
	index := func(t *testing.T, r *localecr.Repository, tag string, subject *ocispec.Descriptor, children ...ocispec.Descriptor) ocispec.Descriptor {
		return putManifest(t, r, tag, ocispec.MediaTypeImageIndex, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
			Manifests: children, Subject: withoutPlatform(subject)})
	}
	for _, c := range []struct {
		name      string
		referrers int
		fill      func(t *testing.T, src *localecr.Repository, image ocispec.Descriptor)
	}{
		{"a referrer", 1, func(t *testing.T, src *localecr.Repository, image ocispec.Descriptor) {
			index(t, src, "", &image, child(t, src, ""))
		}},
		{"a referrer below a referrer", 1, func(t *testing.T, src *localecr.Repository, image ocispec.Descriptor) {
			index(t, src, "", &image, index(t, src, "", nil, child(t, src, "")))
		}},
		{"a referrer of an image of a referrer", 2, func(t *testing.T, src *localecr.Repository, image ocispec.Descriptor) {
			other := putImage(t, src, "", "other", amd64, nil)
			index(t, src, "", &image, other)
			index(t, src, "", &other, child(t, src, ""))
		}},
		{"a tag of the image's digest", 1, func(t *testing.T, src *localecr.Repository, image ocispec.Descriptor) {
			index(t, src, "sha256-"+image.Digest.Encoded()+".att", nil, child(t, src, ""))
		}},
		{"an index below the selected one", 0, func(t *testing.T, src *localecr.Repository, image ocispec.Descriptor) {
			index(t, src, "v2", nil, index(t, src, "", nil, child(t, src, "")))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			src, dst := w.repository(t, "from/web"), w.repository(t, "to/web")
			image := putImage(t, src, "v1", "image", amd64, nil)
			c.fill(t, src, image)
			needed := child(t, dst, "old")
			putImage(t, dst, "older", "not needed", amd64, nil)
			config := mirror.Config{Destinations: []string{w.Registry + "/to"},
				Images: []mirror.ImageRules{{From: w.Registry + "/from/web", Name: "web", Tags: mirror.TagRules{Match: mirror.Patterns{"v*"}}}}}
			opts := mirror.Options{Prune: &mirror.Pruning{MaxDelete: "100%"}, Now: func() time.Time { return time.Now().Add(48 * time.Hour) }}
			opener := w.opener(t)
			plan, err := mirror.NewPlan(t.Context(), config, opener, opts)
			if err != nil {
				t.Fatal(err)
			}
			referrers := 0
			for _, image := range plan.Repositories[0].Images {
				referrers += image.Referrers
			}
			if referrers != c.referrers {
				t.Errorf("the plan has %d referrers, want %d", referrers, c.referrers)
			}
			report, err := mirror.Apply(t.Context(), plan, opener, opts)
			if err != nil {
				t.Errorf("%v; the plan deletes %+v", err, plan.Repositories[0].Delete)
			}
			if len(report.Deleted) != 1 || report.Deleted[0].Tag != "older" {
				t.Errorf("deleted: %+v", report.Deleted)
			}
			after := w.images(t, "to/web")
			if !after.images[string(needed.Digest)] {
				t.Error("the image that the index needs is gone")
			}
			again, err := mirror.NewPlan(t.Context(), config, w.opener(t), opts)
			if err != nil || !again.Unchanged() {
				t.Errorf("after it there is still something to do: %v, %+v", err, again.Repositories)
			}
		})
	}
}

func putReferringIndex(t *testing.T, r *localecr.Repository, subject ocispec.Descriptor, children ...ocispec.Descriptor) ocispec.Descriptor {
	t.Helper()
	return putManifest(t, r, "", ocispec.MediaTypeImageIndex, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		ArtifactType: "application/vnd.example.notes", Manifests: children, Subject: &subject})
}

func withoutPlatform(d *ocispec.Descriptor) *ocispec.Descriptor {
	if d == nil {
		return nil
	}
	return &ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}
