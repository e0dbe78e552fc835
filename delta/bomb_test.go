package delta

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/layers"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestUnpackLimit has layers of zeros unpack to more than layers do: neither a base nor a layer fills the disk.
func TestUnpackLimit(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 8<<20)
	for name, open := range map[string]func(w io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		packed, err := layers.Compress(zeros, open)
		if err != nil {
			t.Fatal(err)
		}
		l := Layer{Digest: digest.FromBytes(packed), Size: int64(len(packed)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }}
		dir := t.TempDir()
		w := NewWorkspace(dir)
		p, err := w.Plaintext(t.Context(), l)
		if err != nil {
			t.Fatalf("%s: less than what may be unpacked freely: %v", name, err)
		}
		w.freely = 1 << 20
		if _, err := w.Plaintext(t.Context(), l); !errors.Is(err, content.ErrUnsupported) || errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s: a base: %v", name, err)
		}
		if _, err := w.Make(t.Context(), l, []*Plaintext{p}); !errors.Is(err, ErrWhole) {
			t.Errorf("%s: a layer: %v", name, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: files are left: %v", name, left)
		}
	}
}
