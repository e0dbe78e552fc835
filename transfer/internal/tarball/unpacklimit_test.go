package tarball

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// sink forgets what is written to it.
type sink struct{ n int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

// TestUnpackedSize has a stream unpack to more than any image does, and one to just less.
func TestUnpackedSize(t *testing.T) {
	t.Parallel()
	plenty := func(string) (int64, int64, error) { return 1 << 40, 1 << 42, nil }
	chunk := make([]byte, 1<<10)
	for _, test := range []struct {
		packed int64
		stops  int64 // at most so many bytes are written; 0 is all of 3 MiB
	}{{3 << 10, 1 << 20}, {15 << 10, 15 << 10 * (maxRatio + 1)}, {31 << 10, 0}} {
		var s sink
		w := &roomWriter{w: &s, dir: "tmp", packed: &test.packed, freely: 1 << 20, free: plenty}
		var err error
		for range 3 << 10 {
			if _, err = w.Write(chunk); err != nil {
				break
			}
		}
		if test.stops == 0 && err != nil || test.stops > 0 && (!errors.Is(err, content.ErrUnsupported) || s.n > test.stops) {
			t.Errorf("%d bytes became %d: %v", test.packed, s.n, err)
		}
	}
}

// TestRoom has a stream, compressed or not, fill the directory for temporary files.
func TestRoom(t *testing.T) {
	t.Parallel()
	const total = 100 << 30
	var s sink
	w := &roomWriter{w: &s, dir: "tmp", free: func(string) (int64, int64, error) { return 2<<30 - s.n, total, nil }}
	var err error
	chunk := make([]byte, 1<<20)
	for err == nil && s.n < total {
		_, err = w.Write(chunk)
	}
	if !errors.Is(err, content.ErrNoRoom) || !strings.Contains(err.Error(), "tmp") || s.n > 1<<30+roomStep {
		t.Errorf("%d bytes are written: %v", s.n, err)
	}
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
	err = copyTar(&roomWriter{w: &s, dir: "tmp", packed: &plain.n, freely: 1 << 20, free: func(string) (int64, int64, error) { return 1 << 50, 1 << 50, nil }}, z)
	if !errors.Is(err, content.ErrUnsupported) || s.n > 64<<20 {
		t.Errorf("%d bytes are written: %v", s.n, err)
	}
	if _, err := Spool(t.Context(), bytes.NewReader([]byte("\x1f\x8b\x08")), t.TempDir()); err == nil {
		t.Error("a cut stream is taken")
	}
}
