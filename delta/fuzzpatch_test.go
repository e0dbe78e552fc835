package delta

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"
)

// FuzzPatch reads hostile patches against two small bases: no more bytes than the layer has, and only errors of the patch.
func FuzzPatch(f *testing.F) {
	w := NewWorkspace(f.TempDir())
	var bases []*Plaintext
	for _, text := range []string{"The first base has a few words, a few words more, and numbers: 0123456789.", "Another one, which ends with zeros: 0000000000000000"} {
		p, err := w.Plaintext(f.Context(), Layer{Digest: digest.FromString(text), Size: int64(len(text)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(text))), nil }})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { _ = p.Close() }) // it is removed
		bases = append(bases, p)
	}
	for i := range 4 {
		var patch bytes.Buffer
		s := newSegmentWriter(&patch, bases)
		for j := range i + 1 {
			if i%2 == 1 {
				s.resemble(span{j % 2, int64(3 * j), 20})
			}
			if err := errors.Join(s.literal([]byte("new words")), s.copy(span{j % 2, int64(7 * j), 20})); err != nil {
				f.Fatal(err)
			}
			if j == 1 {
				if err := s.flush(); err != nil {
					f.Fatal(err)
				}
			}
		}
		if err := s.flush(); err != nil {
			f.Fatal(err)
		}
		f.Add(patch.Bytes(), uint16(29*(i+1)))
	}
	f.Fuzz(func(t *testing.T, patch []byte, size uint16) {
		n, err := io.Copy(io.Discard, newPatchReader(t.Context(), bytes.NewReader(patch), bases, int64(size)))
		if err == nil && n != int64(size) || n > int64(size) {
			t.Errorf("%d bytes of %d: %v", n, size, err)
		}
		if err != nil && !errors.Is(err, ErrPatch) {
			t.Error(err)
		}
	})
}
