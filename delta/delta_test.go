package delta_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/internal/test/layers"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// file is a file of a layer.
type file struct {
	name string
	data []byte
}

// source is text of so many bytes that does not repeat.
func source(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var out bytes.Buffer
	for out.Len() < size {
		fmt.Fprintf(&out, "func %c%x(v int) int { return v + %d }\n", 'a'+rng.IntN(26), rng.Uint32(), rng.IntN(100))
	}
	return out.Bytes()[:size]
}

// modules is how many small files a version has.
const modules = 30

// version is the files of a version of a program: two in ten differ in the next, and the large one has
// a few changed bytes in many places.
func version(n int) (files []file) {
	for i := range modules {
		seed := uint64(i)
		if i%10 == n {
			seed += 1000
		}
		files = append(files, file{fmt.Sprintf("app/lib/module%02d.go", i), source(seed, 2000+100*i)})
	}
	large := source(5000, 120<<10)
	for i := range 8 {
		copy(large[i*14000+n*1000:], fmt.Sprintf("v%d", n))
	}
	return append(files, file{"app/bin/server", large})
}

func tarOf(t *testing.T, files []file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// encoders are those of tools that write layers.
var encoders = map[string]func(w io.Writer) (io.WriteCloser, error){
	"none":  func(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil },
	"go 1":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, 1) },
	"go 6":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"pgzip": func(w io.Writer) (io.WriteCloser, error) { return pgzip.NewWriter(w), nil },
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func compress(t *testing.T, data []byte, open func(w io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	out, err := layers.Compress(data, open)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func layer(data []byte) delta.Layer {
	return delta.Layer{Digest: digest.FromBytes(data), Size: int64(len(data)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

func plaintext(t *testing.T, w *delta.Workspace, data []byte) *delta.Plaintext {
	t.Helper()
	p, err := w.Plaintext(t.Context(), layer(data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// bytesOf returns the delta.
func bytesOf(t *testing.T, d *delta.Delta) []byte {
	t.Helper()
	p, err := io.ReadAll(io.NewSectionReader(d.File, 0, d.Size))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDelta(t *testing.T) {
	t.Parallel()
	for name, encoder := range encoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := delta.NewWorkspace(dir)
			old := compress(t, tarOf(t, version(0)), encoder)
			next := compress(t, tarOf(t, version(1)), encoder)
			other := compress(t, source(77, 100<<10), encoders["go 6"])
			d, err := w.Make(t.Context(), layer(next), []*delta.Plaintext{plaintext(t, w, other), plaintext(t, w, old)})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			t.Logf("%s: %d of %d bytes, description %d, %d of %d tokens missed", d.EncoderName(), d.Size, len(next), d.Description, d.Misses, d.Tokens)
			// A seventh of the content is in files that have changed.
			if d.Size*100 > int64(len(next))*13 {
				t.Errorf("the delta has %d bytes, and the layer %d", d.Size, len(next))
			}
			if len(d.Bases) != 1 || d.Bases[0].Digest != digest.FromBytes(old) {
				t.Errorf("the bases are %v", d.Bases)
			}
			var rebuilt bytes.Buffer
			there := delta.NewWorkspace(t.TempDir())
			if err := there.Apply(t.Context(), bytes.NewReader(bytesOf(t, d)), d.Size, []*delta.Plaintext{plaintext(t, there, old)}, &rebuilt); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(rebuilt.Bytes(), next) {
				t.Error("the layer is not the same")
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("files are left: %v", left)
			}
		})
	}
}

// TestChain rebuilds three versions, each from the one before it.
func TestChain(t *testing.T) {
	t.Parallel()
	chain(t, 3, 4)
}

// chain rebuilds versions of so many files, each from the one before it.
func chain(t *testing.T, versions, files int) {
	t.Helper()
	w := delta.NewWorkspace(t.TempDir())
	encoder := encoders["pgzip"]
	have := compress(t, tarOf(t, version(0)[:files]), encoder)
	for n := 1; n <= versions; n++ {
		next := compress(t, tarOf(t, version(n % 10)[:files]), encoder)
		base := plaintext(t, w, have)
		d, err := w.Make(t.Context(), layer(next), []*delta.Plaintext{base})
		if err != nil {
			t.Fatal(err)
		}
		var rebuilt bytes.Buffer
		if err := w.Apply(t.Context(), d.File, d.Size, []*delta.Plaintext{base}, &rebuilt); err != nil {
			t.Fatal(err)
		}
		d.Close() // it is removed
		if !bytes.Equal(rebuilt.Bytes(), next) {
			t.Fatalf("version %d is not the same", n)
		}
		have = rebuilt.Bytes()
	}
}

// TestWhole says why a layer is carried whole.
func TestWhole(t *testing.T) {
	t.Parallel()
	w := delta.NewWorkspace(t.TempDir())
	data := tarOf(t, version(0))
	old := plaintext(t, w, compress(t, data, encoders["go 6"]))
	zst := compress(t, data, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	noise := make([]byte, 100<<10)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(noise)
	for name, c := range map[string]struct {
		data  []byte
		bases []*delta.Plaintext
	}{
		"zstd": {zst, []*delta.Plaintext{old}}, "no base": {compress(t, data, encoders["go 6"]), nil},
		"nothing in common":    {compress(t, noise, encoders["go 1"]), []*delta.Plaintext{old}},
		"gzip that is cut off": {compress(t, data, encoders["go 6"])[:3000], []*delta.Plaintext{old}},
	} {
		if _, err := w.Make(t.Context(), layer(c.data), c.bases); !errors.Is(err, delta.ErrWhole) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// TestZstdBase takes a zstd layer as the base of a gzip layer.
func TestZstdBase(t *testing.T) {
	t.Parallel()
	w := delta.NewWorkspace(t.TempDir())
	old := compress(t, tarOf(t, version(0)), func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	next := compress(t, tarOf(t, version(1)), encoders["go 6"])
	d, err := w.Make(t.Context(), layer(next), []*delta.Plaintext{plaintext(t, w, old)})
	if err != nil {
		t.Fatal(err)
	}
	d.Close() // it is removed
}

// TestRanges makes a zstd layer from the compressed bytes of another one, as far as files are compressed independently.
func TestRanges(t *testing.T) {
	t.Parallel()
	w := delta.NewWorkspace(t.TempDir())
	old, next := frames(t, version(0)), frames(t, version(1))
	bases := []*delta.Plaintext{plaintext(t, w, compress(t, tarOf(t, version(0)), encoders["go 6"])), plaintext(t, w, old)}
	d, err := w.Make(t.Context(), layer(next), bases)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	// The large file has changed, and a few small ones.
	if d.EncoderName() != "zstd-ranges" || d.Size*100 > int64(len(next))*65 || len(d.Bases) != 1 || d.Bases[0].Digest != digest.FromBytes(old) {
		t.Errorf("%s: %d bytes of %d, bases %v", d.EncoderName(), d.Size, len(next), d.Bases)
	}
	var rebuilt bytes.Buffer
	there := delta.NewWorkspace(t.TempDir())
	if err := there.Apply(t.Context(), bytes.NewReader(bytesOf(t, d)), d.Size, []*delta.Plaintext{plaintext(t, there, old)}, &rebuilt); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rebuilt.Bytes(), next) {
		t.Error("the layer is not the same")
	}
}

// frames is a layer with a zstd frame for each file, and one that is to be skipped, as zstd:chunked is written.
func frames(t *testing.T, files []file) []byte {
	t.Helper()
	out := []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00head")
	for _, f := range files {
		out = append(out, compress(t, tarOf(t, []file{f}), func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) })...)
	}
	return out
}

// TestDamage refuses every damaged delta, and a wrong base, without one byte more than the layer has.
func TestDamage(t *testing.T) {
	t.Parallel()
	w := delta.NewWorkspace(t.TempDir())
	small := []file{{"a", source(1, 20000)}, {"b", source(2, 3000)}}
	old := compress(t, tarOf(t, small), encoders["go 6"])
	small[1].data = source(3, 3000)
	next := compress(t, tarOf(t, small), encoders["go 6"])
	base := plaintext(t, w, old)
	d, err := w.Make(t.Context(), layer(next), []*delta.Plaintext{base})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	good := bytesOf(t, d)
	rng := rand.New(rand.NewPCG(1, 1))
	silent := 0
	for range 60 {
		bad := bytes.Clone(good)
		bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		var out bytes.Buffer
		err := w.Apply(t.Context(), bytes.NewReader(bad), int64(len(bad)), []*delta.Plaintext{base}, &out)
		switch {
		case err == nil && bytes.Equal(out.Bytes(), next):
			silent++ // the last bits of a range coder, and a size or name that does not count
		case err == nil:
			t.Fatal("a wrong layer without an error")
		case !errors.Is(err, content.ErrIntegrity) && !errors.Is(err, delta.ErrFormat) && !errors.Is(err, delta.ErrBases):
			t.Fatal(err)
		case out.Len() > len(next):
			t.Fatalf("%d bytes of %d", out.Len(), len(next))
		}
	}
	if silent > 12 {
		t.Errorf("%d of 60 changed bits made no difference", silent)
	}
	for n := range len(good) / 97 {
		if err := w.Apply(t.Context(), bytes.NewReader(good[:n*97]), int64(n*97), []*delta.Plaintext{base}, io.Discard); err == nil {
			t.Fatalf("cut off after %d bytes", n*97)
		}
	}
	wrong := plaintext(t, w, compress(t, tarOf(t, []file{{"c", source(9, 500)}}), encoders["go 6"]))
	if err := w.Apply(t.Context(), bytes.NewReader(good), int64(len(good)), []*delta.Plaintext{wrong}, io.Discard); !errors.Is(err, delta.ErrBases) {
		t.Errorf("a wrong base: %v", err)
	}
	if err := w.Apply(t.Context(), bytes.NewReader(good), int64(len(good)), nil, io.Discard); !errors.Is(err, delta.ErrBases) {
		t.Errorf("a missing base: %v", err)
	}
}
