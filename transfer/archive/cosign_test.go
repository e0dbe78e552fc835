package archive

import (
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/formats"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestArchiveOfCosignSave checks that a layout of cosign save has the same tags and the
// same referrers as a directory, in a tar and in a packed tar.
func TestArchiveOfCosignSave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixture.Check(t, formats.Write("cosign-save", filepath.Join(dir, "saved")))
	wantTags, wantReferrers := found(t, layout.New(filepath.Join(dir, "saved")))
	if len(wantTags) != 1 || len(wantReferrers) != 1 {
		t.Fatalf("directory: tags %v, referrers %v", wantTags, wantReferrers)
	}
	for _, name := range []string{"saved.tar", "saved.tar.gz"} {
		file := filepath.Join(dir, name)
		fixture.Check(t, formats.Write("cosign-save", file))
		a, err := Open(t.Context(), file, dir)
		fixture.Check(t, err)
		defer a.Close()
		tags, referrers := found(t, a)
		if len(tags) != 1 || tags[0] != wantTags[0] {
			t.Errorf("%s: tags %v, want %v", name, tags, wantTags)
		}
		if len(referrers) != 1 || referrers[0].Digest != wantReferrers[0].Digest || referrers[0].ArtifactType != wantReferrers[0].ArtifactType {
			t.Errorf("%s: referrers %v, want %v", name, referrers, wantReferrers)
		}
	}
}

// found returns the tags, and the referrers of the only image.
func found(t *testing.T, src interface {
	content.Source
	content.TagLister
	content.ReferrerLister
}) ([]string, []content.Descriptor) {
	t.Helper()
	tags, err := src.Tags(t.Context())
	fixture.Check(t, err)
	image, err := src.Resolve(t.Context(), "")
	fixture.Check(t, err)
	referrers, err := src.Referrers(t.Context(), image.Descriptor.Digest)
	fixture.Check(t, err)
	return tags, referrers
}
