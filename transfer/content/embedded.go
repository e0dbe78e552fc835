package content

import (
	"bytes"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// Embedded returns the content that a descriptor carries in its member data:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#embedded-content.
// ok is false if it carries none. The error wraps [ErrIntegrity] if it is not what the
// descriptor names.
func Embedded(d Descriptor) (blob EmbeddedBlob, ok bool, err error) {
	if d.Data == nil {
		return EmbeddedBlob{}, false, nil
	}
	if has := int64(len(d.Data)); has != d.Size {
		return EmbeddedBlob{}, true, fmt.Errorf("the data of the descriptor: %w", &SizeError{Object: "blob " + string(d.Digest), Digest: d.Digest, Has: has, Says: d.Size})
	}
	if got := digest.FromBytes(d.Data); got != d.Digest {
		return EmbeddedBlob{}, true, fmt.Errorf("%w: the data of the descriptor of blob %s has the digest %s", ErrIntegrity, d.Digest, got)
	}
	return EmbeddedBlob{bytes.NewReader(d.Data)}, true, nil
}

// EmbeddedBlob is the content of [Embedded], as a [BlobFile] that can be read in order too.
type EmbeddedBlob struct{ *bytes.Reader }

// Close does nothing.
func (EmbeddedBlob) Close() error { return nil }
