package transfer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxManifestSize is the size in bytes that Amazon ECR takes for a manifest:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html.
const MaxManifestSize = 4 << 20

// Media types of Docker's image manifest version 2, schema 2.
const (
	mediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaTypeDockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// manifestMediaTypes returns the media types of manifests that can be copied.
func manifestMediaTypes() []string {
	return []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, mediaTypeDockerManifest, mediaTypeDockerList}
}

// contents is what a manifest names.
type contents struct {
	mediaType string
	manifests []Descriptor // of an index
	blobs     []Descriptor // of an image: config, then layers
}

// decodeManifest reads what a manifest names. mediaType is what its descriptor
// says, "" if it says nothing. Every descriptor in the result is checked.
func decodeManifest(data []byte, mediaType string) (contents, error) {
	var doc struct {
		SchemaVersion int
		MediaType     string
		Config        *Descriptor
		Layers        []Descriptor
		FSLayers      json.RawMessage
		Manifests     []Descriptor
	}
	if len(data) > MaxManifestSize {
		return contents{}, fmt.Errorf("%w: a manifest of %d bytes; Amazon ECR takes at most %d", ErrUnsupported, len(data), MaxManifestSize)
	}
	if !utf8.Valid(data) {
		return contents{}, fmt.Errorf("%w: not UTF-8", ErrIntegrity)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return contents{}, fmt.Errorf("%w: not a manifest: %w", ErrIntegrity, err)
	}
	if doc.SchemaVersion == 1 || doc.FSLayers != nil {
		return contents{}, fmt.Errorf("%w: Docker manifest schema 1; push the image again with a current client", ErrUnsupported)
	}
	// A document that is an image to one reader and an index to another is an
	// attack: https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh.
	isIndex, isImage := doc.Manifests != nil, doc.Config != nil || doc.Layers != nil
	if isIndex == isImage {
		return contents{}, fmt.Errorf("%w: neither an image manifest nor an index", ErrIntegrity)
	}
	if doc.MediaType != "" && mediaType != "" && doc.MediaType != mediaType {
		return contents{}, fmt.Errorf("%w: says to be %s, its descriptor says %s", ErrIntegrity, doc.MediaType, mediaType)
	}
	c := contents{mediaType: mediaType, manifests: doc.Manifests}
	if c.mediaType == "" {
		c.mediaType = doc.MediaType
	}
	if isImage {
		if doc.Config == nil {
			return contents{}, fmt.Errorf("%w: image manifest without a config", ErrIntegrity)
		}
		c.blobs = append([]Descriptor{*doc.Config}, doc.Layers...)
	}
	switch c.mediaType {
	case "":
		c.mediaType = ocispec.MediaTypeImageManifest
		if isIndex {
			c.mediaType = ocispec.MediaTypeImageIndex
		}
	case ocispec.MediaTypeImageIndex, mediaTypeDockerList:
		if !isIndex {
			return contents{}, fmt.Errorf("%w: an image manifest with the media type %s", ErrIntegrity, c.mediaType)
		}
	case ocispec.MediaTypeImageManifest, mediaTypeDockerManifest:
		if isIndex {
			return contents{}, fmt.Errorf("%w: an index with the media type %s", ErrIntegrity, c.mediaType)
		}
	default:
		return contents{}, fmt.Errorf("%w: manifest media type %s", ErrUnsupported, c.mediaType)
	}
	return c, c.check()
}

func (c contents) check() error {
	for _, d := range c.manifests {
		if err := checkDescriptor(d); err != nil {
			return err
		}
		if !slices.Contains(manifestMediaTypes(), d.MediaType) {
			return fmt.Errorf("%w: an index entry %s of media type %q, which is no manifest", ErrUnsupported, d.Digest, d.MediaType)
		}
		if d.Size > MaxManifestSize {
			return fmt.Errorf("%w: a manifest %s of %d bytes; Amazon ECR takes at most %d", ErrUnsupported, d.Digest, d.Size, MaxManifestSize)
		}
	}
	for _, d := range c.blobs {
		if err := checkDescriptor(d); err != nil {
			return err
		}
	}
	return nil
}

// refuseForeign refuses layers that are marked as not to be distributed.
func (c contents) refuseForeign() error {
	for _, d := range c.blobs {
		if isForeign(d.MediaType) {
			return fmt.Errorf("%w: layer %s is foreign: its bytes are at a URL outside the registry, which is not fetched; where its license allows to distribute it, copy it with --include-foreign", ErrUnsupported, d.Digest)
		}
	}
	return nil
}

// isForeign tells Docker's foreign and OCI's non-distributable layers.
func isForeign(mediaType string) bool {
	return strings.Contains(mediaType, ".foreign.") || strings.Contains(mediaType, ".nondistributable.")
}
