// Package referrerlist reads the lists of referrers that registries answer and that clients keep by a tag:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers.
package referrerlist

import (
	"encoding/json"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Decode returns the index that a list is. Every descriptor in it is checked. The error wraps [content.ErrProtocol] if it is
// no such list, or what [content.CheckDescriptor] returned.
func Decode(data []byte) (ocispec.Index, error) {
	var index struct {
		ocispec.Index
		Manifests present `json:"manifests"` // in the place of the member of Index
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return ocispec.Index{}, fmt.Errorf("%w: %w", errNoList, err)
	}
	entries, err := content.DecodeEntries(data, errNoList)
	if err != nil {
		return ocispec.Index{}, err
	}
	if !index.Manifests || index.SchemaVersion != 2 || index.MediaType != "" && index.MediaType != ocispec.MediaTypeImageIndex {
		return ocispec.Index{}, fmt.Errorf("%w, but a document of version %d and type %.100q", errNoList, index.SchemaVersion, index.MediaType)
	}
	index.Index.Manifests = entries
	return index.Index, nil
}

var errNoList = fmt.Errorf("%w: not a list of referrers", content.ErrProtocol)

// present reports whether a document has a member, whatever it is.
type present bool

// UnmarshalJSON implements [json.Unmarshaler].
func (p *present) UnmarshalJSON([]byte) error {
	*p = true
	return nil
}
