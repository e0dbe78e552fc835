package ranges

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/transfer/content"
)

func someContent(size int) []byte {
	random := rand.NewChaCha8([32]byte{byte(size)})
	data := make([]byte, size)
	random.Read(data)
	return data
}

// file is a [content.PartialFile] that has some spans already.
type file struct {
	*os.File
	mu   sync.Mutex
	done []content.Span
}

func (f *file) Done() []content.Span { return f.done }

func (f *file) AddDone(s content.Span) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, s)
	return nil
}

func newFile(t *testing.T) *file {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "blob"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &file{File: f}
}

func ignore(int) {}

// source serves ranges of data and counts what it gave.
type source struct {
	data []byte
	cut  func(request int, n int64) int64 // how much of a range comes before a reset

	mu       sync.Mutex
	requests int
	sent     int64
}

func (s *source) open(_ context.Context, first, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.cut != nil {
		if m := s.cut(s.requests, n); m < n {
			s.sent += m
			return io.NopCloser(io.MultiReader(bytes.NewReader(s.data[first:first+m]), broken{})), nil
		}
	}
	s.sent += n
	return io.NopCloser(bytes.NewReader(s.data[first : first+n])), nil
}

type broken struct{}

var errReset = errors.New("connection reset")

func (broken) Read([]byte) (int, error) { return 0, errReset }

func TestFetch(t *testing.T) {
	never := func(_ int, n int64) int64 { return n }
	tests := map[string]struct {
		size, connections int
		cut               func(int, int64) int64
		wantRequests      int
	}{
		"empty":            {0, 8, never, 0},
		"one byte":         {1, 8, never, 1},
		"one connection":   {20<<20 + 1, 1, never, 3},
		"eight":            {20<<20 + 1, 8, never, 8},
		"large":            {65 << 20, 4, never, 9},
		"every range cut":  {6 << 20, 4, func(i int, n int64) int64 { return max(n/2, min(n, 100_000)) }, 0},
		"no byte at first": {6 << 20, 4, func(i int, n int64) int64 { return n * int64(min(1, i/4)) }, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &source{data: someContent(tt.size), cut: tt.cut}
			f, hash := newFile(t), sha256.New()
			if err := Fetch(fastclock.Context(t.Context()), f, hash, int64(tt.size), s.open, tt.connections, 0, ignore); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if want := sha256.Sum256(s.data); !bytes.Equal(hash.Sum(nil), want[:]) || sha256.Sum256(got) != want {
				t.Error("other bytes than those of the source")
			}
			if s.sent != int64(tt.size) {
				t.Errorf("read %d bytes of a blob of %d", s.sent, tt.size)
			}
			if tt.wantRequests > 0 && s.requests != tt.wantRequests {
				t.Errorf("%d requests, want %d", s.requests, tt.wantRequests)
			}
		})
	}
}

func TestFetchGivesUp(t *testing.T) {
	gone := errors.New("gone")
	tests := map[string]struct {
		open         content.RangeOpener
		want         error // nil is any
		wantRequests int
	}{
		"permanent": {func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, content.Permanent(gone) }, gone, 1},
		"too long": {func(_ context.Context, _, n int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(make([]byte, n+1))), nil
		}, nil, 1},
		"never a byte": {func(context.Context, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(broken{}), nil
		}, errReset, retry.Default().Tries},
		"hardly a byte": {func(context.Context, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 1)), broken{})), nil
		}, errReset, retry.Default().Tries},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests := 0
			open := func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
				requests++
				return tt.open(ctx, first, n)
			}
			err := Fetch(fastclock.Context(t.Context()), newFile(t), sha256.New(), 100, open, 1, 0, ignore)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || requests != tt.wantRequests {
				t.Errorf("got %v after %d requests, want %v after %d", err, requests, tt.want, tt.wantRequests)
			}
		})
	}
}

// TestFetchGoesOn has some spans there already.
func TestFetchGoesOn(t *testing.T) {
	tests := map[string][]content.Span{
		"begin":     {{First: 0, Length: 1 << 20}},
		"end":       {{First: 9 << 20, Length: 1 << 20}},
		"all":       {{First: 0, Length: 4 << 20}, {First: 4 << 20, Length: 6 << 20}},
		"holes":     {{First: 1, Length: 1}, {First: 3, Length: 5 << 20}, {First: 8 << 20, Length: 100}},
		"all but 1": {{First: 0, Length: 10<<20 - 1}},
	}
	for name, done := range tests {
		t.Run(name, func(t *testing.T) {
			s := &source{data: someContent(10 << 20)}
			f, hash := newFile(t), sha256.New()
			f.done = done
			missing := int64(len(s.data))
			for _, d := range done {
				missing -= d.Length
				if _, err := f.WriteAt(s.data[d.First:d.End()], d.First); err != nil {
					t.Fatal(err)
				}
			}
			came := 0
			var mu sync.Mutex
			progress := func(n int) { mu.Lock(); came += n; mu.Unlock() }
			if err := Fetch(t.Context(), f, hash, int64(len(s.data)), s.open, 4, 0, progress); err != nil {
				t.Fatal(err)
			}
			if want := sha256.Sum256(s.data); !bytes.Equal(hash.Sum(nil), want[:]) {
				t.Error("other bytes than those of the source")
			}
			if s.sent != missing || int64(came) != missing {
				t.Errorf("read %d bytes, told of %d, of %d missing", s.sent, came, missing)
			}
			total := int64(0)
			for _, d := range f.done {
				total += d.Length
			}
			if total != int64(len(s.data)) {
				t.Errorf("the file has %d bytes now", total)
			}
		})
	}
}

// TestFetchReplacesStalled has one connection of four hang.
func TestFetchReplacesStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{data: someContent(20 << 20)}
		var once sync.Once
		open := func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
			body, err := s.open(ctx, first, n)
			hang := false
			once.Do(func() { hang = true })
			if hang {
				return io.NopCloser(&stuck{ctx}), nil
			}
			return &slow{ctx, body}, err
		}
		began := time.Now()
		f, hash := newFile(t), sha256.New()
		if err := Fetch(t.Context(), f, hash, int64(len(s.data)), open, 4, 0, ignore); err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256(s.data); !bytes.Equal(hash.Sum(nil), want[:]) {
			t.Error("other bytes than those of the source")
		}
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// TestFetchEndsStalled has every connection hang.
// TestFetchReplacesLast has a connection hang after all others have brought what they
// had to: it is replaced as soon as one that hangs beside them.
func TestFetchReplacesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{data: someContent(4 << 20)}
		var stalled sync.Once
		open := func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
			body, err := src.open(ctx, first, n)
			if first == 1<<20 {
				stalled.Do(func() {
					half := io.LimitReader(body, n/2)
					body = io.NopCloser(io.MultiReader(half, &stuck{ctx}))
				})
				return body, err
			}
			return &slow{ctx, body}, err
		}
		f := newFile(t)
		start := time.Now()
		hash := sha256.New()
		if err := Fetch(t.Context(), f, hash, 4<<20, open, 4, 0, ignore); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if want := sha256.Sum256(src.data); !bytes.Equal(hash.Sum(nil), want[:]) {
			t.Error("other bytes")
		}
	})
}

// TestFetchKeepsPart cancels a fetch in the middle of its ranges: what has come is
// told, and the next one goes on behind it.
func TestFetchKeepsPart(t *testing.T) {
	src := &source{data: someContent(4 << 20)}
	f := newFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	came := 0
	var mu sync.Mutex
	err := Fetch(ctx, f, io.Discard, 4<<20, src.open, 4, 0, func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if came += n; came > 2<<20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		// It may have come to its end all the same.
		t.Logf("got %v", err)
	}
	kept := int64(0)
	for _, s := range f.done {
		kept += s.Length
	}
	if kept != int64(came) {
		t.Errorf("%d bytes came, %d of them were kept", came, kept)
	}
}

func TestFetchEndsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := func(ctx context.Context, _, _ int64) (io.ReadCloser, error) { return io.NopCloser(&stuck{ctx}), nil }
		err := Fetch(t.Context(), newFile(t), sha256.New(), 10<<20, open, 4, 0, ignore)
		if !errors.Is(err, ErrStalled) {
			t.Errorf("got %v", err)
		}
	})
}

// TestFetchEndsStalledRest reads a body that sends a request for its rest, which is answered, and then brings nothing.
func TestFetchEndsStalledRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := func(ctx context.Context, _, _ int64) (io.ReadCloser, error) {
			return io.NopCloser(&stuckRest{stuck{ctx}}), nil
		}
		err := Fetch(t.Context(), newFile(t), sha256.New(), 1<<20, open, 1, 0, ignore)
		if !errors.Is(err, ErrStalled) {
			t.Errorf("got %v", err)
		}
	})
}

// stuckRest sends a request when it is read.
type stuckRest struct{ stuck }

func (s *stuckRest) Read(p []byte) (int, error) {
	Sending(s.ctx)()
	return s.stuck.Read(p)
}

// stuck never brings a byte.
type stuck struct{ ctx context.Context }

func (s *stuck) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }

// slow brings 1 MiB a second.
type slow struct {
	ctx context.Context
	io.ReadCloser
}

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(time.Second / 8)
	return s.ReadCloser.Read(p)
}

// TestReader breaks connections off, with and without having brought a byte.
func TestReader(t *testing.T) {
	for name, cut := range map[string]func(int, int64) int64{
		"clean":            func(_ int, n int64) int64 { return n },
		"cut":              func(_ int, n int64) int64 { return max(n/2, min(n, 100_000)) },
		"no byte at first": func(i int, n int64) int64 { return n * int64(min(1, i/4)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &source{data: someContent(3 << 20), cut: cut}
				repeated := 0
				r := NewReader(t.Context(), nil, func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
					if retry.IsRepeated(ctx) {
						repeated++
					}
					return s.open(ctx, first, n)
				}, int64(len(s.data)))
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, s.data) || s.sent != int64(len(s.data)) || repeated != s.requests-1 {
					t.Errorf("%d bytes of %d by %d requests, %d of them repeated: %v", s.sent, len(s.data), s.requests, repeated, err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := &source{data: someContent(1 << 20), cut: func(int, int64) int64 { return 0 }}
		if _, err := io.ReadAll(NewReader(t.Context(), nil, s.open, 1<<20)); !errors.Is(err, errReset) || s.requests != retry.Default().Tries {
			t.Errorf("got %v after %d requests", err, s.requests)
		}
		s = &source{data: someContent(1 << 20), cut: func(int, int64) int64 { return 9 }}
		if _, err := io.ReadAll(NewReader(t.Context(), nil, s.open, 1<<20)); !errors.Is(err, errReset) || s.requests != retry.Default().Tries {
			t.Errorf("nine bytes a try: got %v after %d requests", err, s.requests)
		}
		short := func(context.Context, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(nil)), nil
		}
		if _, err := io.ReadAll(NewReader(t.Context(), nil, short, 10)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	})
}

// slowLink is a link of 30 KiB a second that all connections share: each waits for its turn to get 32 KiB.
type slowLink struct {
	source
	turn chan struct{}
}

func (l *slowLink) open(ctx context.Context, first, n int64) (io.ReadCloser, error) {
	body, err := l.source.open(ctx, first, n)
	return &slowLinkBody{ctx, l, body}, err
}

type slowLinkBody struct {
	ctx  context.Context
	link *slowLink
	io.ReadCloser
}

func (b *slowLinkBody) Read(p []byte) (int, error) {
	select {
	case b.link.turn <- struct{}{}:
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	defer func() { <-b.link.turn }()
	n, err := b.ReadCloser.Read(p[:min(len(p), 32<<10)])
	select {
	case <-time.After(time.Duration(n) * time.Second / (30 << 10)):
		return n, err
	case <-b.ctx.Done(): // the bytes are lost
		return 0, b.ctx.Err()
	}
}

// TestFetchOverSlowLink has connections wait for bytes longer than one is waited for that hangs.
func TestFetchOverSlowLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slowLink{source: source{data: someContent(8 << 20)}, turn: make(chan struct{}, 1)}
		f, hash := newFile(t), sha256.New()
		began := time.Now()
		if err := Fetch(t.Context(), f, hash, int64(len(l.data)), l.open, 8, 0, ignore); err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256(l.data); !bytes.Equal(hash.Sum(nil), want[:]) {
			t.Error("other bytes than those of the source")
		}
		ideal := time.Duration(len(l.data)) * time.Second / (30 << 10)
		if took := time.Since(began); took > ideal*3/2 {
			t.Errorf("took %s, the link can do it in %s", took, ideal)
		}
	})
}
