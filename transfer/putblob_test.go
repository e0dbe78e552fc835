package transfer

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// A blob of a stream that broke resumes: the bytes that Amazon ECR has are read, and not sent.
func TestPutBlobResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	data := bytes.Repeat([]byte("0123456789abcdef"), 21<<16) // 21 MiB: three parts
	d := content.Descriptor{MediaType: "application/octet-stream", Digest: digest.FromBytes(data), Size: int64(len(data))}
	opts := Options{JournalDir: t.TempDir()}
	stream := func(n int64, end error) io.Reader {
		return io.MultiReader(io.LimitReader(bytes.NewReader(data), n), fixture.Failing{Err: end})
	}
	broken := errors.New("the stream broke")
	if err := PutBlob(t.Context(), w.repository("app"), d, stream(15<<20, broken), opts); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	w.Calls.Reset()
	fixture.Check(t, PutBlob(t.Context(), w.repository("app"), d, stream(d.Size, io.EOF), opts))
	if n := w.Calls.Count("InitiateLayerUpload"); n > 0 {
		t.Errorf("%d uploads began again", n)
	}
	sent := int64(0)
	for _, call := range w.Calls.Calls() {
		sent += call.BytesIn
	}
	if most := int64(12<<20) / 3 * 4; sent > most {
		t.Errorf("%d bytes were sent again, more than %d", sent, most)
	}
	missing, err := w.repository("app").MissingBlobs(t.Context(), []content.Descriptor{d})
	fixture.Check(t, err)
	if len(missing) > 0 {
		t.Error("the blob is not there")
	}
}
