package layout

import (
	"bytes"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// embedded returns the content that a descriptor carries in its member data:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#embedded-content.
// ok is false if it carries none. The error wraps [content.ErrIntegrity] if it is not what the
// descriptor names.
func embedded(d content.Descriptor) (blob embeddedBlob, ok bool, err error) {
	if d.Data == nil {
		return embeddedBlob{}, false, nil
	}
	if has := int64(len(d.Data)); has != d.Size {
		return embeddedBlob{}, true, fmt.Errorf("the data of the descriptor: %w", &content.SizeError{Object: "blob " + string(d.Digest), Digest: d.Digest, Has: has, Says: d.Size})
	}
	if got := digest.FromBytes(d.Data); got != d.Digest {
		return embeddedBlob{}, true, fmt.Errorf("%w: the data of the descriptor of blob %s has the digest %s", content.ErrIntegrity, d.Digest, got)
	}
	return embeddedBlob{bytes.NewReader(d.Data)}, true, nil
}

// embeddedBlob is the content of [embedded], as a [content.BlobFile] that can be read in order too.
type embeddedBlob struct{ *bytes.Reader }

// Close does nothing.
func (embeddedBlob) Close() error { return nil }
