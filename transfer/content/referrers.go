package content

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// MaxReferrers bounds what may refer to one image and its parts.
const MaxReferrers = 10_000

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
