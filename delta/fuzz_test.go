package delta_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/ecrkit/ecrkit/delta"
)

// FuzzApply applies hostile deltas: nothing but the layer of the digest is ever complete, and what is written
// has a bound.
func FuzzApply(f *testing.F) {
	w := delta.NewWorkspace(f.TempDir())
	compressed := func(p []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(p) // a buffer does not fail
		_ = z.Close()
		return out.Bytes()
	}
	old, next := compressed(source(1, 9000)), compressed(append(source(1, 8500), "the end"...))
	base, err := w.Plaintext(f.Context(), layer(old))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = base.Close() }) // it is removed
	d, err := w.Make(f.Context(), layer(next), []*delta.Plaintext{base})
	if err != nil {
		f.Fatal(err)
	}
	good, err := io.ReadAll(io.NewSectionReader(d.File, 0, d.Size))
	_ = d.Close() // it is removed
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("ecrkit delta 1\n\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := delta.ReadHeader(bytes.NewReader(p), int64(len(p)))
		if err != nil || h.Layer.Size > 1<<20 {
			return
		}
		var out bytes.Buffer
		err = w.Apply(t.Context(), bytes.NewReader(p), int64(len(p)), []*delta.Plaintext{base}, &out)
		if int64(out.Len()) > h.Layer.Size || err == nil && !h.Layer.Digest.Algorithm().Available() {
			t.Errorf("%d bytes of %d, %v", out.Len(), h.Layer.Size, err)
		}
		if err == nil && h.Layer.Digest.Algorithm().FromBytes(out.Bytes()) != h.Layer.Digest {
			t.Error("another layer, without an error")
		}
	})
}
