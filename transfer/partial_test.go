package transfer

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// interrupt pulls the image app:x and ends the pull when some ranges of its layer
// are there; it gives the path of the partial file.
func interrupt(t *testing.T, w *world, dst string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := w.repository("app")
	next := e.Layers.Transport
	e.Layers.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=16777216-") { // the third
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return next.RoundTrip(r)
	})
	_, err := Copy(ctx, e, NewLayout(dst), Options{Reference: "x", Layers: 1, Connections: 1})
	if err == nil {
		t.Fatal("the copy was not interrupted")
	}
	names, err := filepath.Glob(filepath.Join(dst, tempPrefix+"*"+spansSuffix))
	check(t, err)
	if len(names) != 1 {
		t.Fatalf("partial files: %v", names)
	}
	return strings.TrimSuffix(names[0], spansSuffix)
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
			f, err := os.OpenFile(path+spansSuffix, os.O_APPEND|os.O_WRONLY, 0)
			check(t, err)
			defer f.Close()
			_, err = f.WriteString("16777216 83")
			check(t, err)
		}, true},
		"content damaged": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			check(t, err)
			defer f.Close()
			_, err = f.WriteAt([]byte("damage"), 100)
			check(t, err)
		}, false},
		"content shorter": {func(t *testing.T, path string) { check(t, os.Truncate(path, 100)) }, false},
		"content gone":    {func(t *testing.T, path string) { check(t, os.Remove(path)) }, false},
		"spans gone":      {func(t *testing.T, path string) { check(t, os.Remove(path+spansSuffix)) }, false},
		"spans overlap": {func(t *testing.T, path string) {
			check(t, os.WriteFile(path+spansSuffix, []byte(spansHeader+"\n0 100\n50 100\n"), 0o666))
		}, false},
		"spans outside": {func(t *testing.T, path string) {
			check(t, os.WriteFile(path+spansSuffix, []byte(spansHeader+"\n0 999999999999\n"), 0o666))
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := pushSlices(t)
			dst := filepath.Join(t.TempDir(), "dst")
			tt.damage(t, interrupt(t, w, dst))
			result := mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}})
			if tt.resumed != (result.BytesResumed >= 8<<20) || !tt.resumed && result.BytesResumed != 0 {
				t.Errorf("%d bytes resumed", result.BytesResumed)
			}
			validateLayout(t, dst)
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
			if _, err := Copy(t.Context(), w.repository("app"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	validateLayout(t, dst)
	sent := int64(0)
	for _, c := range w.calls.Calls() {
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
	src, _, _ := newFixture(t, 1)
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, NewLayout(src), NewLayout(dst), Options{Reference: "image", Tags: []string{"x"}})
	blobs, err := os.ReadDir(filepath.Join(dst, "blobs/sha256"))
	check(t, err)
	complete := filepath.Join(dst, tempPrefix+blobs[0].Name())
	old := filepath.Join(dst, tempPrefix+strings.Repeat("a", 64))
	young := filepath.Join(dst, tempPrefix+strings.Repeat("b", 64))
	for _, name := range []string{complete, complete + spansSuffix, complete + lockSuffix, old, old + spansSuffix, young, young + spansSuffix, filepath.Join(dst, tempPrefix+"ABC")} {
		check(t, os.WriteFile(name, []byte("x"), 0o666))
	}
	past := time.Now().Add(-8 * 24 * time.Hour)
	check(t, os.Chtimes(old, past, past))
	check(t, os.Chtimes(old+spansSuffix, past, past))
	mustCopy(t, NewLayout(src), NewLayout(dst), Options{Reference: "image", Tags: []string{"x"}})
	left, err := filepath.Glob(filepath.Join(dst, tempPrefix+"*"))
	check(t, err)
	if len(left) != 2 || left[0] != young || left[1] != young+spansSuffix {
		t.Errorf("left: %v", left)
	}
}

func FuzzParseSpans(f *testing.F) {
	f.Add([]byte(spansHeader + "\n0 100\n100 5\n"))
	f.Add([]byte(spansHeader + "\n9223372036854775807 1\n"))
	f.Add([]byte(spansHeader + "\n-1 1 \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spans, err := parseSpans(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i, s := range spans {
			if s.First < 0 || s.Length <= 0 || s.End() < s.First || i > 0 && s.First < spans[i-1].First {
				t.Errorf("%v", spans)
			}
		}
	})
}
