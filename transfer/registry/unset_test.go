package registry

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// inMemory are the parts of a blob that is in memory.
type inMemory []byte

func (b inMemory) Part(_ context.Context, first, n int64) (content.Part, error) {
	return content.Part{Load: func(context.Context) (*io.SectionReader, error) {
		return io.NewSectionReader(bytes.NewReader(b), first, n), nil
	}}, nil
}

// TestUploadZero uploads a blob with the zero value of Upload, from parts that need not be released.
func TestUploadZero(t *testing.T) {
	t.Parallel()
	r := newNeutralRegistry(t).repository("app")
	blob := inMemory("some content")
	d := content.Descriptor{Digest: digest.FromBytes(blob), Size: int64(len(blob))}
	fixture.Check(t, r.UploadBlob(fixture.Context(t), d, blob, content.Upload{}))
	_, err := r.StatBlob(fixture.Context(t), d.Digest)
	fixture.Check(t, err)
}
