package registry

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestUploadZero uploads a blob with the zero value of Upload, from parts that need not be released.
func TestUploadZero(t *testing.T) {
	t.Parallel()
	r := newNeutralRegistry(t).repository("app")
	blob := fixture.Parts("some content")
	d := content.Descriptor{Digest: digest.FromBytes(blob), Size: int64(len(blob))}
	fixture.Check(t, r.UploadBlob(fixture.Context(t), d, blob, content.Upload{}))
	_, err := r.StatBlob(fixture.Context(t), d.Digest)
	fixture.Check(t, err)
}
