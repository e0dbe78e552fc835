package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Several processes attach to an image in one layout: all of it is found, also what
// clients list by a tag as in a registry, and the image is the only one.
func TestReferrersOfLayout(t *testing.T) {
	dir, image := fixture.NewImage(t, 1000)
	m, err := layout.New(dir).Resolve(t.Context(), "")
	fixture.Check(t, err)
	config := fixture.BlobOf("{}", "application/vnd.oci.empty.v1+json")
	fixture.Check(t, layout.New(dir).PutBlob(t.Context(), config, strings.NewReader("{}")))
	tag := content.DigestTag(fixture.DigestOf(t, image), content.DigestTagSignatures)
	var (
		want []content.Descriptor
		wait sync.WaitGroup
	)
	for i := range 8 {
		r := fixture.Referrer(t, m.Descriptor, config, fmt.Sprint(i))
		want = append(want, r.Descriptor)
		wait.Go(func() {
			if err := layout.New(dir).PutManifest(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if err := layout.New(dir).PutTagged(t.Context(), signatures(t, layout.New(dir), sigLayer(fmt.Sprint(i))), tag); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	fixture.ExpectReferrers(t, "layout", layout.New(dir), fixture.DigestOf(t, image), want)
	if signers := signersAt(t, layout.New(dir), tag); len(signers) != 1 {
		t.Errorf("signed by %q", signers)
	}
	expectOnly := func(l content.Resolver) {
		t.Helper()
		if only, err := l.Resolve(t.Context(), ""); err != nil || only.Descriptor.Digest != fixture.DigestOf(t, image) {
			t.Errorf("the only image is %s, %v", only.Descriptor.Digest, err)
		}
	}
	expectOnly(layout.New(dir))

	// A list by a tag, of manifests that index.json does not name.
	other, image := fixture.NewImage(t, 1000)
	l := layout.New(other)
	m, err = l.Resolve(t.Context(), "x")
	fixture.Check(t, err)
	fixture.Check(t, l.PutBlob(t.Context(), config, strings.NewReader("{}")))
	r, stranger := fixture.Referrer(t, m.Descriptor, config, "r"), fixture.Referrer(t, want[0], config, "of another")
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []content.Descriptor{r.Descriptor, stranger.Descriptor}}
	data, err := json.Marshal(list)
	fixture.Check(t, err)
	for _, m := range []content.Manifest{r, stranger} {
		fixture.Check(t, l.PutBlob(t.Context(), m.Descriptor, strings.NewReader(string(m.Content))))
	}
	fixture.Check(t, l.PutTagged(t.Context(), content.Manifest{Descriptor: fixture.BlobOf(string(data), ocispec.MediaTypeImageIndex), Content: data}, content.DigestTag(m.Descriptor.Digest, content.DigestTagReferrers)))
	fixture.ExpectReferrers(t, "listed by a tag", l, m.Descriptor.Digest, []content.Descriptor{r.Descriptor})
	expectOnly(l)
	file := filepath.Join(t.TempDir(), "a.tar")
	target := archive.NewTarget(file)
	mustCopy(t, l, target, Options{Reference: "x", Tags: []string{"x"}, Referrers: true})
	fixture.Check(t, target.Close())
	a, err := archive.Open(t.Context(), file, t.TempDir())
	fixture.Check(t, err)
	defer a.Close()
	fixture.ExpectReferrers(t, "archive", a, m.Descriptor.Digest, []content.Descriptor{r.Descriptor})
	expectOnly(a)

	// A damaged manifest may be a signature.
	fixture.Check(t, os.WriteFile(fixture.BlobFile(dir, want[3].Digest), []byte(strings.Repeat(" ", int(want[3].Size))), 0o666))
	if got, err := layout.New(dir).Referrers(t.Context(), fixture.DigestOf(t, image)); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("%v, %v", got, err)
	}
}
