package layout

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestMissingReferrers has a list of referrers by tag name one that is missing, and a tag name a manifest that is: both
// are listed, so that nobody takes the image for one without.
func TestMissingReferrers(t *testing.T) {
	t.Parallel()
	dir, image := fixture.NewImage(t, 100)
	subject := fixture.DigestOf(t, image)
	missing := content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("missing"), Size: 7}
	list, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{missing}})
	fixture.Check(t, err)
	fixture.Check(t, os.WriteFile(fixture.BlobFile(dir, digest.FromBytes(list)), list, 0o666))
	file := filepath.Join(dir, "index.json")
	data, err := os.ReadFile(file)
	fixture.Check(t, err)
	var index ocispec.Index
	fixture.Check(t, json.Unmarshal(data, &index))
	named := func(d content.Descriptor, kind string) content.Descriptor {
		d.Annotations = map[string]string{ocispec.AnnotationRefName: content.DigestTag(subject, kind)}
		return d
	}
	index.Manifests = append(index.Manifests,
		named(content.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(list), Size: int64(len(list))}, content.DigestTagReferrers),
		named(missing, content.DigestTagSignatures))
	data, err = json.Marshal(index)
	fixture.Check(t, err)
	fixture.Check(t, os.WriteFile(file, data, 0o666))

	l := New(dir)
	found, err := l.Referrers(t.Context(), subject)
	if err != nil || len(found) != 1 || found[0].Digest != missing.Digest {
		t.Errorf("got %v, %v", found, err)
	}
	_, err = l.Resolve(t.Context(), content.DigestTag(subject, content.DigestTagSignatures))
	if !errors.Is(err, content.ErrNotFound) || !errors.Is(err, content.ErrIncomplete) {
		t.Errorf("the tag of a manifest that is missing: %v", err)
	}
	if _, err := l.Resolve(t.Context(), "sha256-0.sig"); !errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrIncomplete) {
		t.Errorf("a tag that is not listed: %v", err)
	}
}
