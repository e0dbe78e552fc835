package content

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TotalSize returns the sum of the sizes of blobs, in bytes.
func TotalSize(blobs []Descriptor) (sum int64) {
	for _, d := range blobs {
		sum += d.Size
	}
	return sum
}

// IsIndex reports whether a media type is that of an OCI image index or a Docker manifest list.
func IsIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == MediaTypeDockerList
}

// Media types that docker has for the parts of an image.
const (
	MediaTypeDockerLayer      = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	MediaTypeDockerLayerPlain = "application/vnd.docker.image.rootfs.diff.tar"
)

// MaxManifestSize is the size in bytes that Amazon ECR takes for a manifest:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html.
const MaxManifestSize = 4 << 20

// Media types of Docker's image manifest version 2, schema 2.
const (
	MediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeDockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// ManifestMediaTypes returns the media types of manifests that can be copied.
func ManifestMediaTypes() []string {
	return []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, MediaTypeDockerManifest, MediaTypeDockerList}
}

// ManifestContents is what a manifest names.
type ManifestContents struct {
	MediaType string
	Manifests []Descriptor // of an index
	Blobs     []Descriptor // of an image: config, then layers
}

// DecodeManifest reads what a manifest names. mediaType is what its descriptor
// says, "" if it says nothing. Every descriptor in the result is checked.
func DecodeManifest(data []byte, mediaType string) (ManifestContents, error) {
	var doc struct {
		SchemaVersion int
		MediaType     string
		Config        *Descriptor
		Layers        checkedEntries
		FSLayers      json.RawMessage
		Manifests     checkedEntries
	}
	if len(data) > MaxManifestSize {
		return ManifestContents{}, fmt.Errorf("%w: a manifest of %d bytes; Amazon ECR takes at most %d", ErrUnsupported, len(data), MaxManifestSize)
	}
	if !utf8.Valid(data) {
		return ManifestContents{}, fmt.Errorf("%w: not UTF-8", ErrIntegrity)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return ManifestContents{}, entriesError(err, fmt.Errorf("%w: not a manifest", ErrIntegrity))
	}
	if doc.SchemaVersion == 1 || doc.FSLayers != nil {
		return ManifestContents{}, fmt.Errorf("%w: Docker manifest schema 1; push the image again with a current client", ErrUnsupported)
	}
	// A document that is an image to one reader and an index to another is an
	// attack: https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh.
	isIndex, isImage := doc.Manifests != nil, doc.Config != nil || doc.Layers != nil
	if isIndex == isImage {
		return ManifestContents{}, fmt.Errorf("%w: neither an image manifest nor an index", ErrIntegrity)
	}
	if doc.MediaType != "" && mediaType != "" && doc.MediaType != mediaType {
		return ManifestContents{}, fmt.Errorf("%w: says to be %s, its descriptor says %s", ErrIntegrity, doc.MediaType, mediaType)
	}
	c := ManifestContents{MediaType: mediaType, Manifests: doc.Manifests}
	if c.MediaType == "" {
		c.MediaType = doc.MediaType
	}
	if isImage {
		if doc.Config == nil {
			return ManifestContents{}, fmt.Errorf("%w: image manifest without a config", ErrIntegrity)
		}
		c.Blobs = slices.Insert([]Descriptor(doc.Layers), 0, *doc.Config)
	}
	switch c.MediaType {
	case "":
		c.MediaType = ocispec.MediaTypeImageManifest
		if isIndex {
			c.MediaType = ocispec.MediaTypeImageIndex
		}
	case ocispec.MediaTypeImageIndex, MediaTypeDockerList:
		if !isIndex {
			return ManifestContents{}, fmt.Errorf("%w: an image manifest with the media type %s", ErrIntegrity, c.MediaType)
		}
	case ocispec.MediaTypeImageManifest, MediaTypeDockerManifest:
		if isIndex {
			return ManifestContents{}, fmt.Errorf("%w: an index with the media type %s", ErrIntegrity, c.MediaType)
		}
	default:
		return ManifestContents{}, fmt.Errorf("%w: manifest media type %s", ErrUnsupported, c.MediaType)
	}
	return c, c.check()
}

func (c ManifestContents) check() error {
	for _, d := range c.Manifests {
		if err := CheckDescriptor(d); err != nil {
			return err
		}
		if !slices.Contains(ManifestMediaTypes(), d.MediaType) {
			return fmt.Errorf("%w: an index entry %s of media type %q, which is no manifest", ErrUnsupported, d.Digest, d.MediaType)
		}
		if d.Size > MaxManifestSize {
			return fmt.Errorf("%w: a manifest %s of %d bytes; Amazon ECR takes at most %d", ErrUnsupported, d.Digest, d.Size, MaxManifestSize)
		}
	}
	for _, d := range c.Blobs {
		if err := CheckDescriptor(d); err != nil {
			return err
		}
	}
	return nil
}

// IsForeign reports whether a media type is that of Docker's foreign and OCI's non-distributable layers.
func IsForeign(mediaType string) bool {
	return strings.Contains(mediaType, ".foreign.") || strings.Contains(mediaType, ".nondistributable.")
}

// NewManifest returns the manifest with these bytes and the descriptor that they have: the media type, digest and size.
func NewManifest(content []byte, mediaType string) Manifest {
	return Manifest{Content: content, Descriptor: Descriptor{
		MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content)),
	}}
}
