package tarball

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/ecrkit/ecrkit/internal/unpack"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// sink forgets what is written to it.
type sink struct{ n int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

// TestSpoolStops has a small compressed tar with a large file in it be refused before it is unpacked.
func TestSpoolStops(t *testing.T) {
	t.Parallel()
	// The stream itself is unpacked here, and its end is never reached.
	r, w := io.Pipe()
	go func() {
		z := gzip.NewWriter(w)
		tw := tar.NewWriter(z)
		_ = tw.WriteHeader(&tar.Header{Name: "zeros", Size: 1 << 40, Mode: 0o600})
		zeros := make([]byte, 1<<20)
		for {
			if _, err := tw.Write(zeros); err != nil {
				return
			}
		}
	}()
	defer r.Close()
	plain := &faultReader{r: r}
	z, err := gzip.NewReader(plain)
	if err != nil {
		t.Fatal(err)
	}
	var s sink
	err = copyTar(&unpack.Writer{W: &s, Dir: "tmp", Packed: &plain.n, Freely: 1 << 20, Free: func(string) (int64, int64, error) { return 1 << 50, 1 << 50, nil }}, z)
	if !errors.Is(err, content.ErrUnsupported) || s.n > 64<<20 {
		t.Errorf("%d bytes are written: %v", s.n, err)
	}
	if _, err := Spool(t.Context(), bytes.NewReader([]byte("\x1f\x8b\x08")), t.TempDir()); err == nil {
		t.Error("a cut stream is taken")
	}
}
