package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// endless is a source in which something refers to each manifest, and which would go on for ever.
type endless struct {
	byTag bool // it has a tag made of the digest
	made  map[digest.Digest]content.Manifest
}

const endlessSize = 16 << 10

// manifest makes one with a subject, "" means none.
func (s *endless) manifest(subject digest.Digest) content.Manifest {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: ocispec.DescriptorEmptyJSON, Layers: []content.Descriptor{ocispec.DescriptorEmptyJSON},
		Annotations: map[string]string{"padding": strings.Repeat("x", endlessSize), "of": string(subject)},
	}
	if subject != "" && !s.byTag {
		m.Subject = &content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: subject, Size: 1}
	}
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	made := content.NewManifest(data, ocispec.MediaTypeImageManifest)
	s.made[made.Descriptor.Digest] = made
	return made
}

func (s *endless) String() string { return "endless" }

func (s *endless) Resolve(_ context.Context, tag string) (content.Manifest, error) {
	subject, kind, ok := content.ParseDigestTag(tag)
	if !ok || !s.byTag || kind != content.DigestTagAttestation {
		return content.Manifest{}, content.ErrNotFound
	}
	return s.manifest(subject), nil
}

func (s *endless) Manifests(_ context.Context, descriptors []content.Descriptor) (found []content.Manifest, _ error) {
	for _, d := range descriptors {
		found = append(found, s.made[d.Digest])
	}
	return found, nil
}

func (s *endless) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return nil, content.ErrNotFound
}

func (s *endless) Referrers(_ context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	if s.byTag {
		return nil, nil
	}
	return []content.Descriptor{s.manifest(subject).Descriptor}, nil
}

// TestReferrersTooLarge has more refer to an image than fits into memory, each to the one before it.
func TestReferrersTooLarge(t *testing.T) {
	t.Parallel()
	for name, byTag := range map[string]bool{"subject": false, "tag": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := &endless{byTag: byTag, made: map[digest.Digest]content.Manifest{}}
			root := src.manifest("")
			const fit = 20
			g := graph{Tree: imagetree.Tree{Manifests: []content.Manifest{root}}, room: fit * (endlessSize + 1<<10)}
			err := g.addReferrers(t.Context(), src, Options{Referrers: true})
			if !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), "bytes together") {
				t.Errorf("got %v", err)
			}
			if n := len(g.referrers) + len(g.attached); n < fit/2 || n > 2*fit {
				t.Errorf("%d were read", n)
			}
		})
	}
}
