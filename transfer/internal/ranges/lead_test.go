package ranges

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// paced sends so many bytes by each read, after a pause.
type paced struct {
	io.Reader
	bytes int
	pause time.Duration
}

func (p paced) Read(b []byte) (int, error) {
	time.Sleep(p.pause)
	return p.Reader.Read(b[:min(len(b), p.bytes)])
}

// TestLead has a first connection bring its bytes in several ways: others join unless it is so fast that they would not help.
func TestLead(t *testing.T) {
	t.Parallel()
	const ms, alone = time.Millisecond, 10 * time.Millisecond
	for name, tt := range map[string]struct {
		size     int
		read     int
		pause    time.Duration
		requests int // 0: of all connections
	}{
		"small and fast":          {8 << 20, 100_000, 2 * ms, 2},
		"of one range":            {1 << 20, 100_000, 2 * ms, 1},
		"as small as may be":      {leadSize, 100_000, 2 * ms, 3},
		"large":                   {leadSize + 1, 100_000, 2 * ms, 0},
		"slow":                    {8 << 20, 100_000, 20 * ms, 0},
		"slow, in full reads":     {8 << 20, 128 << 10, 12 * ms, 0},
		"waited for by each read": {8 << 20, 60_000, ms, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFile(t)
			synctest.Test(t, func(t *testing.T) {
				data, hash := someContent(tt.size), sha256.New()
				var mu sync.Mutex
				requests, most, now := 0, 0, 0
				open := func(_ context.Context, first, n int64) (io.ReadCloser, error) {
					mu.Lock()
					defer mu.Unlock()
					requests, now = requests+1, now+1
					most = max(most, now)
					return struct {
						io.Reader
						io.Closer
					}{paced{bytes.NewReader(data[first : first+n]), tt.read, tt.pause}, closer(func() { mu.Lock(); now--; mu.Unlock() })}, nil
				}
				if err := Fetch(t.Context(), f, hash, int64(tt.size), open, 4, alone, ignore); err != nil {
					t.Fatal(err)
				}
				if want := sha256.Sum256(data); !bytes.Equal(hash.Sum(nil), want[:]) {
					t.Error("another hash")
				}
				if tt.requests == 0 {
					if most != 4 {
						t.Errorf("%d connections at once, want 4", most)
					}
				} else if most != 1 || requests != tt.requests {
					t.Errorf("%d requests over %d connections at once, want %d over 1", requests, most, tt.requests)
				}
			})
		})
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }

// TestLeadReadsNothingBack has bytes that come in order written to the hash without the file.
func TestLeadReadsNothingBack(t *testing.T) {
	t.Parallel()
	f := unreadable{newFile(t)}
	s := &source{data: someContent(5 << 20)}
	hash := sha256.New()
	if err := Fetch(t.Context(), f, hash, int64(len(s.data)), s.open, 4, time.Hour, ignore); err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(s.data); !bytes.Equal(hash.Sum(nil), want[:]) {
		t.Error("another hash")
	}
}

// unreadable is a file that cannot be read.
type unreadable struct{ *file }

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, io.ErrUnexpectedEOF }
