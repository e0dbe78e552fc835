package lifecycle

import (
	_ "crypto/sha256" // go-digest does not link the hashes of digests
	_ "crypto/sha512"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// manifest is what a manifest adds to the output of describe-images.
type manifest struct {
	digest   digest.Digest
	children []digest.Digest // nil if it is no index
	subject  digest.Digest
	blobs    []Blob // nil if it is an index
	size     int64
}

func (l *imageList) content(c imageEntry) error {
	id, err := parseDigest(c.ImageID.ImageDigest)
	if err != nil {
		return fmt.Errorf("imageId.imageDigest: %w", err)
	}
	if err := l.same(c.RegistryID, c.RepositoryName); err != nil {
		return fmt.Errorf("manifest %s: %w", id, err)
	}
	if digest.FromString(c.ImageManifest) != id {
		return fmt.Errorf("manifest %s: its content has another digest", id)
	}
	m, err := readManifest(id, []byte(c.ImageManifest), c.ImageManifestMediaType)
	if err != nil {
		return err
	}
	l.manifests = append(l.manifests, m)
	return nil
}

// readManifest reads a manifest whose digest has been checked.
func readManifest(id digest.Digest, text []byte, mediaType string) (manifest, error) {
	var content struct {
		MediaType string               `json:"mediaType"`
		Manifests []ocispec.Descriptor `json:"manifests"`
		Config    *ocispec.Descriptor  `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
		Subject   *ocispec.Descriptor  `json:"subject"`
	}
	m := manifest{digest: id, size: int64(len(text))}
	if err := strictjson.Unmarshal(text, &content); err != nil {
		return m, fmt.Errorf("manifest %s: %w", id, err)
	}
	if content.MediaType != "" {
		mediaType = content.MediaType
	}
	if content.Subject != nil {
		m.subject = content.Subject.Digest
	}
	if (&Image{MediaType: mediaType}).IsIndex() || mediaType == "" && content.Manifests != nil {
		m.children = []digest.Digest{}
		for _, child := range content.Manifests {
			m.children = append(m.children, child.Digest)
		}
		return m, nil
	}
	if content.Config == nil {
		return m, nil // a manifest of another kind, of which only the size is known
	}
	m.blobs = []Blob{}
	for _, d := range append([]ocispec.Descriptor{*content.Config}, content.Layers...) {
		if d.Size < 0 {
			return m, fmt.Errorf("manifest %s: the size of %s is less than 0", id, d.Digest)
		}
		if !strings.Contains(d.MediaType, ".foreign.") && !strings.Contains(d.MediaType, ".nondistributable.") { // not stored
			m.blobs = append(m.blobs, Blob{d.Digest, d.Size})
		}
	}
	return m, nil
}

// describe adds what the manifest says to its image.
func (m manifest) describe(image *Image) {
	image.Children, image.Blobs, image.ManifestSize = m.children, m.blobs, m.size
	if image.MediaType == "" && m.children != nil {
		image.MediaType = ocispec.MediaTypeImageIndex
	}
	if m.subject != "" {
		image.Subject = m.subject
	}
}

// AddManifest adds to an image what its manifest contains: the images of an index, the
// subject, the config and the layers. text must have the digest of the image.
func (i *Image) AddManifest(text []byte) error {
	if digest.FromBytes(text) != i.Digest {
		return fmt.Errorf("manifest %s: its content has another digest", i.Digest)
	}
	m, err := readManifest(i.Digest, text, i.MediaType)
	if err != nil {
		return err
	}
	m.describe(i)
	return nil
}
