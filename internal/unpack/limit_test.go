package unpack

import (
	"errors"
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
	}{{3 << 10, 1 << 20}, {15 << 10, 15 << 10 * (MaxRatio + 1)}, {31 << 10, 0}} {
		var s sink
		w := &Writer{W: &s, Dir: "tmp", Packed: &test.packed, Freely: 1 << 20, Free: plenty}
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
	w := &Writer{W: &s, Dir: "tmp", Free: func(string) (int64, int64, error) { return 2<<30 - s.n, total, nil }}
	var err error
	chunk := make([]byte, 1<<20)
	for err == nil && s.n < total {
		_, err = w.Write(chunk)
	}
	if !errors.Is(err, content.ErrNoRoom) || !strings.Contains(err.Error(), "tmp") || s.n > 1<<30+roomStep {
		t.Errorf("%d bytes are written: %v", s.n, err)
	}
}

// TestRoomIsLeft fills a small file system, whatever its free space is at the beginning: a twentieth of it stays free.
func TestRoomIsLeft(t *testing.T) {
	t.Parallel()
	const total = 256 << 20
	for _, free := range []int64{total, total - 7<<20, 100 << 20, 30 << 20, 13 << 20, 1 << 20, 0} {
		s := sink{}
		w := &Writer{W: &s, Dir: "tmp", Free: func(string) (int64, int64, error) { return free - s.n, total, nil }}
		var err error
		for chunk := make([]byte, 32<<10); err == nil && s.n < 2*total; {
			_, err = w.Write(chunk)
		}
		if !errors.Is(err, content.ErrNoRoom) {
			t.Errorf("%d bytes free: %v", free, err)
		}
		if left := free - s.n; left < min(total/20, free) || left > max(total/20+1<<20, free) {
			t.Errorf("of %d bytes, %d are left free", free, left)
		}
	}
}
