package transfer

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// interrupt pulls the image app:x and ends the pull when some ranges of its layer
// are there; it returns the path of the partial file.
func interrupt(t *testing.T, w *world, dst string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := w.repository("app")
	next := e.Layers.Transport
	e.Layers.Transport = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=16777216-") { // the third
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return next.RoundTrip(r)
	})
	_, err := Copy(ctx, e, layout.New(dst), Options{Reference: "x", Layers: 1, Connections: 1})
	if err == nil {
		t.Fatal("the copy was not interrupted")
	}
	names, err := filepath.Glob(filepath.Join(dst, partial.Prefix+"*"+partial.SpansSuffix))
	fixture.Check(t, err)
	if len(names) != 1 {
		t.Fatalf("partial files: %v", names)
	}
	return strings.TrimSuffix(names[0], partial.SpansSuffix)
}

// pushSlices pushes an image with a layer that a connection reads in three ranges.
func pushSlices(t *testing.T) *world {
	w := newWorld(t, localecr.Options{})
	pushLayer(t, w, 20<<20-5)
	return w
}

func TestPullGoesOn(t *testing.T) {
	tests := map[string]struct {
		damage  func(t *testing.T, path string)
		resumed bool
	}{
		"as it was": {func(*testing.T, string) {}, true},
		"half a line": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path+partial.SpansSuffix, os.O_APPEND|os.O_WRONLY, 0)
			fixture.Check(t, err)
			defer f.Close()
			_, err = f.WriteString("16777216 83")
			fixture.Check(t, err)
		}, true},
		"content damaged": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			fixture.Check(t, err)
			defer f.Close()
			_, err = f.WriteAt([]byte("damage"), 100)
			fixture.Check(t, err)
		}, false},
		"content shorter": {func(t *testing.T, path string) { fixture.Check(t, os.Truncate(path, 100)) }, false},
		"content gone":    {func(t *testing.T, path string) { fixture.Check(t, os.Remove(path)) }, false},
		"spans gone":      {func(t *testing.T, path string) { fixture.Check(t, os.Remove(path+partial.SpansSuffix)) }, false},
		"spans overlap": {func(t *testing.T, path string) {
			fixture.Check(t, os.WriteFile(path+partial.SpansSuffix, []byte(partial.SpansHeader+"\n0 100\n50 100\n"), 0o666))
		}, false},
		"spans outside": {func(t *testing.T, path string) {
			fixture.Check(t, os.WriteFile(path+partial.SpansSuffix, []byte(partial.SpansHeader+"\n0 999999999999\n"), 0o666))
		}, false},
	}
	pushed := pushSlices(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{pushed.On(t)}
			dst := filepath.Join(t.TempDir(), "dst")
			tt.damage(t, interrupt(t, w, dst))
			result := mustCopy(t, w.repository("app"), layout.New(dst), Options{Reference: "x", Tags: []string{"x"}})
			if tt.resumed != (result.BytesResumed >= 8<<20) || !tt.resumed && result.BytesResumed != 0 {
				t.Errorf("%d bytes resumed", result.BytesResumed)
			}
			fixture.ValidateLayout(t, dst)
		})
	}
}

// TestPullTwice has two copies fill one layout at the same time.
func TestPullTwice(t *testing.T) {
	w := pushSlices(t)
	dst := filepath.Join(t.TempDir(), "dst")
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := Copy(t.Context(), w.repository("app"), layout.New(dst), Options{Reference: "x", Tags: []string{"x"}}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	fixture.ValidateLayout(t, dst)
	sent := int64(0)
	for _, c := range w.Calls.Calls() {
		if c.Op == getLayer {
			sent += c.BytesOut
		}
	}
	if sent > 21<<20 {
		t.Errorf("%d bytes were sent for a layer of 20 MiB", sent)
	}
}

// TestSweep leaves files as killed processes do.
func TestSweep(t *testing.T) {
	src, _, _ := fixture.Layout(t, 1)
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, layout.New(src), layout.New(dst), Options{Reference: "image", Tags: []string{"x"}})
	blobs, err := os.ReadDir(filepath.Join(dst, "blobs/sha256"))
	fixture.Check(t, err)
	complete := filepath.Join(dst, partial.Prefix+blobs[0].Name())
	old := filepath.Join(dst, partial.Prefix+strings.Repeat("a", 64))
	young := filepath.Join(dst, partial.Prefix+strings.Repeat("b", 64))
	for _, name := range []string{complete, complete + partial.SpansSuffix, complete + partial.LockSuffix, old, old + partial.SpansSuffix, young, young + partial.SpansSuffix, filepath.Join(dst, partial.Prefix+"ABC")} {
		fixture.Check(t, os.WriteFile(name, make([]byte, 64<<10), 0o666)) // large enough to be worth resuming
	}
	past := time.Now().Add(-8 * 24 * time.Hour)
	fixture.Check(t, os.Chtimes(old, past, past))
	fixture.Check(t, os.Chtimes(old+partial.SpansSuffix, past, past))
	mustCopy(t, layout.New(src), layout.New(dst), Options{Reference: "image", Tags: []string{"x"}})
	left, err := filepath.Glob(filepath.Join(dst, partial.Prefix+"*"))
	fixture.Check(t, err)
	if len(left) != 2 || left[0] != young || left[1] != young+partial.SpansSuffix {
		t.Errorf("left: %v", left)
	}
}
