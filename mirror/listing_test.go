package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// manifests is a source that has only manifests.
type manifests struct {
	content.Source
	stored map[string]content.Manifest
}

func (m manifests) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	found, ok := m.stored[reference]
	if !ok {
		return found, fmt.Errorf("%s: %w", reference, content.ErrNotFound)
	}
	return found, nil
}

func (m manifests) String() string { return "HOST/app" }

// TestReferrersWithoutATypeInTheListAreRead lists one referrer with its type and one without.
func TestReferrersWithoutATypeInTheListAreRead(t *testing.T) {
	t.Parallel()
	subject := digest.FromString("the image")
	text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":"application/spdx+json","subject":{"mediaType":%[1]q,"digest":%q,"size":9}}`,
		"application/vnd.oci.image.manifest.v1+json", subject)
	untyped, typed := digest.FromString(text), digest.FromString("other")
	l := listing{images: map[digest.Digest]content.Image{
		untyped: {Digest: untyped, Subject: subject},
		typed:   {Digest: typed, Subject: subject, ArtifactType: "application/x"},
		subject: {Digest: subject},
	}}
	src := manifests{stored: map[string]content.Manifest{string(untyped): {Content: []byte(text), Descriptor: content.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: untyped, Size: int64(len(text))}}}}
	for pattern, want := range map[string]digest.Digest{"*spdx*": untyped, "*x": typed} {
		filter, err := ReferrerRules{Types: Patterns{pattern}}.Filter()
		if err != nil {
			t.Fatal(err)
		}
		by, types, err := l.referrers(t.Context(), src, filter)
		if err != nil || !slices.Equal(by[subject], []digest.Digest{want}) || types[untyped] != "application/spdx+json" {
			t.Errorf("%s: %v, %v (%v), want %s", pattern, by, types, err, want)
		}
		if _, _, err := l.referrers(t.Context(), manifests{}, filter); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: a manifest that cannot be read: %v", pattern, err)
		}
	}
	if by, _, err := l.referrers(t.Context(), manifests{}, nil); err != nil || len(by[subject]) != 2 {
		t.Errorf("without a filter: %v (%v)", by, err)
	}
}
