package ecr

import (
	"crypto/rand"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestUploadZero uploads layers in two parts with the zero values of Upload and StreamOptions, from parts that need not be
// released.
func TestUploadZero(t *testing.T) {
	t.Parallel()
	e := newWorld(t, localecr.Options{}).repository("app")
	e.Upload = UploadNative
	blob := make(fixture.Parts, content.DefaultPartSize+1)
	_, _ = rand.Read(blob) // never fails
	d := content.Descriptor{Digest: digest.FromBytes(blob), Size: int64(len(blob))}
	fixture.Check(t, e.UploadBlob(fixture.Context(t), d, blob, content.Upload{}))
	blob[0]++
	s := e.StreamBlob(fixture.Context(t), content.StreamOptions{})
	_, err := s.Write(blob)
	fixture.Check(t, err)
	fixture.Check(t, s.Commit(fixture.Context(t), digest.FromBytes(blob)))
}
