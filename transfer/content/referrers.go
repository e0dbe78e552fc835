package content

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxReferrers bounds what may refer to one image and its parts.
const MaxReferrers = 10_000

// DecodeReferrers reads a list of referrers; every descriptor in it is checked.
func DecodeReferrers(data []byte) ([]Descriptor, error) {
	index, err := DecodeReferrerList(data)
	return index.Manifests, err
}

// DecodeReferrerList is [DecodeReferrers], and returns the whole index that the list is.
func DecodeReferrerList(data []byte) (ocispec.Index, error) {
	var members struct{ Manifests json.RawMessage }
	var index struct {
		ocispec.Index
		Manifests CheckedEntries `json:"manifests"` // in the place of the member of Index
	}
	err := json.Unmarshal(data, &index)
	if err == nil {
		err = json.Unmarshal(data, &members)
	}
	if err != nil {
		return ocispec.Index{}, EntryError(err, fmt.Errorf("%w: not a list of referrers", ErrProtocol))
	}
	if members.Manifests == nil || index.SchemaVersion != 2 || index.MediaType != "" && index.MediaType != ocispec.MediaTypeImageIndex {
		return ocispec.Index{}, fmt.Errorf("%w: not a list of referrers, but a document of version %d and type %.100q", ErrProtocol, index.SchemaVersion, index.MediaType)
	}
	index.Index.Manifests = index.Manifests
	return index.Index, nil
}

// ReferrerOf returns the entry of a manifest in the list of its subject's referrers;
// subject is "" if it has none.
func ReferrerOf(m Manifest) (entry Descriptor, subject digest.Digest, err error) {
	var doc struct {
		ArtifactType string
		Config       struct{ MediaType string }
		Annotations  map[string]string
		Subject      *Descriptor
	}
	if err := json.Unmarshal(m.Content, &doc); err != nil {
		return Descriptor{}, "", fmt.Errorf("%w: not a manifest: %w", ErrIntegrity, err)
	}
	if doc.Subject == nil {
		return Descriptor{}, "", nil
	}
	if err := CheckDescriptor(*doc.Subject); err != nil {
		return Descriptor{}, "", fmt.Errorf("subject: %w", err)
	}
	entry = Descriptor{MediaType: m.Descriptor.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size, ArtifactType: doc.ArtifactType, Annotations: doc.Annotations}
	if entry.ArtifactType == "" {
		entry.ArtifactType = doc.Config.MediaType
	}
	return entry, doc.Subject.Digest, nil
}
