package layerpart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

var part = Part{RegistryID: "123456789012", Repository: "team/app", UploadID: "id", First: 10, Last: 19}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func newBody(t *testing.T, content []byte, ready <-chan struct{}, sent func(int64)) *Body {
	t.Helper()
	b, err := NewBody(t.Context(), part, section(content), ready, sent)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func section(content []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))
}

func randomBytes(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	return content
}

// TestBody has bodies of all lengths around the ends of chunks say what a JSON
// encoder would say, each time that they are read.
func TestBody(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, rawSize - 1, rawSize, rawSize + 1, rawSize + 2, 3*rawSize - 1, 3 * rawSize, 3*rawSize + 1} {
		content := randomBytes(n)
		var want struct {
			Part
			Blob []byte `json:"layerPartBlob"`
		}
		want.Part, want.Blob = part, content
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		b := newBody(t, content, closed(), func(n int64) { total += n })
		sum := sha256.Sum256(encoded)
		if got, err := b.SHA256(); err != nil || got != hex.EncodeToString(sum[:]) || total != 0 || b.Len() != len(encoded) {
			t.Errorf("%d bytes: hash %q, %v; told of %d bytes", n, got, err, total)
		}
		for pass, read := range []func(io.Reader) io.Reader{plain, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
			if b.Len() != len(encoded) {
				t.Errorf("%d bytes, pass %d: Len %d, want %d", n, pass, b.Len(), len(encoded))
			}
			got, err := io.ReadAll(read(b))
			if err != nil || !bytes.Equal(got, encoded) {
				t.Fatalf("%d bytes, pass %d: %v, another body", n, pass, err)
			}
			if b.Len() != 0 {
				t.Errorf("%d bytes are left at the end", b.Len())
			}
			if at, err := b.Seek(0, io.SeekCurrent); err != nil || at != int64(len(encoded)) {
				t.Errorf("at %d, %v", at, err)
			}
			if want := int64(n); total != want {
				t.Errorf("%d bytes, pass %d: told of %d, want %d", n, pass, total, want)
			}
			if at, err := b.Seek(0, io.SeekStart); err != nil || at != 0 {
				t.Errorf("at %d, %v", at, err)
			}
			if total != 0 {
				t.Errorf("%d bytes, pass %d: told of %d, which are to be sent again", n, pass, total)
			}
		}
	}
}

func plain(r io.Reader) io.Reader { return r }

// TestHoldBack reads the body: all but its end comes at once. To be hashed, all of
// it is there.
func TestHoldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := randomBytes(100_000)
		whole, err := io.ReadAll(newBody(t, content, closed(), func(int64) {}))
		if err != nil {
			t.Fatal(err)
		}
		ready := make(chan struct{})
		b := newBody(t, content, ready, func(int64) {})
		sum := sha256.Sum256(whole)
		if got, err := b.SHA256(); err != nil || got != hex.EncodeToString(sum[:]) {
			t.Errorf("hash %q, %v", got, err)
		}
		for range 2 { // the request is sent once more
			var got bytes.Buffer
			done := make(chan error)
			ctx, cancel := context.WithCancel(t.Context())
			b.ctx = ctx
			go func() {
				_, err := io.CopyBuffer(&got, onlyReader{b}, make([]byte, 1000))
				done <- err
			}()
			synctest.Wait()
			if want := len(whole) - len(after); got.Len() != want || b.Len() != len(after) {
				t.Errorf("%d bytes came before the part before had arrived, want %d", got.Len(), want)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			_, err := b.Seek(0, io.SeekStart)
			if err != nil {
				t.Fatal(err)
			}
		}
		b.ctx = t.Context()
		close(ready)
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%v, another body", err)
		}
	})
}

type onlyReader struct{ io.Reader }

// TestHoldBackEnds ends the context while the end of the body is held back.
func TestHoldBackEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		b, err := NewBody(ctx, part, section(randomBytes(10)), make(chan struct{}), func(int64) {})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, b)
			done <- err
		}()
		synctest.Wait()
		cause := errors.New("the part before was refused")
		cancel(cause)
		if err := <-done; !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}

// TestContentEnds has the file become shorter, and a read fail in the middle.
func TestContentEnds(t *testing.T) {
	broken := errors.New("disk")
	tests := map[string]struct {
		content io.ReaderAt
		want    string
	}{
		"shorter":                  {bytes.NewReader(randomBytes(2*rawSize + 5)), "ended before its 200000 bytes"},
		"shorter by whole chunks":  {bytes.NewReader(randomBytes(rawSize)), "ended before its 200000 bytes"},
		"empty":                    {bytes.NewReader(nil), "ended before its 200000 bytes"},
		"broken":                   {brokenAt{rawSize, broken}, "disk"},
		"broken in a chunk":        {brokenAt{rawSize + 100, broken}, "disk"},
		"broken before any byte":   {brokenAt{0, broken}, "disk"},
		"broken after an odd byte": {brokenAt{1, broken}, "disk"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := NewBody(t.Context(), part, io.NewSectionReader(tt.content, 0, 200_000), closed(), func(int64) {})
			if err != nil {
				t.Fatal(err)
			}
			if sum, err := b.SHA256(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("hash %q, %v, want %q", sum, err, tt.want)
			}
			got, err := io.ReadAll(b)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if bytes.Contains(got, []byte(after)) && len(got) > len(b.before) {
				t.Error("the body looks complete")
			}
		})
	}
}

// TestContentChanges has the content change behind the back of its signature, for a while or for good: the body does not
// end, since the service would refuse it and blame the secret key.
func TestContentChanges(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int{"first byte": 0, "second chunk": rawSize + 5, "last byte": 2 * rawSize} {
		t.Run(name, func(t *testing.T) {
			data := randomBytes(2*rawSize + 1)
			b := newBody(t, data, closed(), func(int64) {})
			if _, err := b.SHA256(); err != nil {
				t.Fatal(err)
			}
			for _, change := range []byte{1, 0, 1} { // sent, sent again from what is right again, and again
				data[at] ^= change
				got, err := io.ReadAll(b)
				data[at] ^= change
				var changed *content.ChangedError
				var source *content.SourceError
				switch right := errors.As(err, &changed) && errors.As(err, &source); {
				case change == 0 && (err != nil || b.Len() != 0):
					t.Errorf("unchanged: %v, %d bytes left", err, b.Len())
				case change != 0 && (!right || !strings.Contains(err.Error(), "bytes 10 to 19 ")):
					t.Errorf("got %v", err)
				case change != 0 && bytes.HasSuffix(got, []byte(after)):
					t.Error("the body looks complete")
				}
				if _, err := b.Seek(0, io.SeekStart); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// brokenAt reads zeros up to an offset.
type brokenAt struct {
	n   int64
	err error
}

func (b brokenAt) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(min(b.n-off, int64(len(p))), 0))
	clear(p[:n])
	if n < len(p) {
		return n, b.err
	}
	return n, nil
}

func TestSeekElsewhere(t *testing.T) {
	b := newBody(t, []byte("x"), closed(), func(int64) {})
	for _, tt := range []struct {
		offset int64
		whence int
	}{{1, io.SeekStart}, {-1, io.SeekCurrent}, {0, io.SeekEnd}} {
		if _, err := b.Seek(tt.offset, tt.whence); err == nil {
			t.Errorf("went to %d from %d", tt.offset, tt.whence)
		}
	}
}

// TestMemory reads a large part without that it is in memory.
func TestMemory(t *testing.T) {
	zeros := io.NewSectionReader(brokenAt{1 << 40, nil}, 0, 64<<20)
	buffer := make([]byte, 32<<10)
	allocated := testing.AllocsPerRun(1, func() {
		b, err := NewBody(t.Context(), part, zeros, closed(), func(int64) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.SHA256(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyBuffer(io.Discard, onlyReader{b}, buffer); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 50 {
		t.Errorf("%v allocations for one part", allocated)
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("content"), "team/app", "id", int64(0), 3)
	f.Add([]byte{}, "", "", int64(-1), 1)
	f.Add(randomBytes(rawSize+1), "a\"b\\", "<&>\u2028", int64(1)<<60, 70_000)
	f.Fuzz(func(t *testing.T, content []byte, repository, id string, first int64, step int) {
		p := Part{RegistryID: "1", Repository: repository, UploadID: id, First: first, Last: first + int64(len(content))}
		total := int64(0)
		b, err := NewBody(t.Context(), p, section(content), closed(), func(n int64) { total += n })
		if err != nil {
			t.Fatal(err)
		}
		length := b.Len()
		for range 2 {
			var got bytes.Buffer
			n, err := io.CopyBuffer(&got, onlyReader{b}, make([]byte, 1+max(step, 0)%100_000))
			if err != nil || int(n) != length {
				t.Fatalf("%d bytes, %v; Len said %d", n, err, length)
			}
			var read struct {
				Repository string `json:"repositoryName"`
				First      int64  `json:"partFirstByte"`
				Blob       []byte `json:"layerPartBlob"`
			}
			if err := json.Unmarshal(got.Bytes(), &read); err != nil || !bytes.Equal(read.Blob, content) || read.First != first {
				t.Fatalf("%v: %.200s", err, got.Bytes())
			}
			if _, err := b.Seek(0, io.SeekStart); err != nil || total != 0 {
				t.Fatalf("%v, %d", err, total)
			}
		}
	})
}
