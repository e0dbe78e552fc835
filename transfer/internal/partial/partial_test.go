package partial

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/trap"
	"github.com/ecrkit/ecrkit/transfer/content"
)

func FuzzParseSpans(f *testing.F) {
	f.Add([]byte(SpansHeader + "\n0 100\n100 5\n"))
	f.Add([]byte(SpansHeader + "\n9223372036854775807 1\n"))
	f.Add([]byte(SpansHeader + "\n-1 1 \n"))
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

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const text = "the content of a blob"

// blob is what the partial files in these tests are to become.
var blob = digest.FromString(text)

// TestTraps fills partial files beside traps, which stay, and the blob is a file of its
// own.
func TestTraps(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", SpansSuffix, LockSuffix} {
		trap.Each(t, func(t *testing.T, _ string, lay func(string)) {
			dir := t.TempDir()
			path, name := filepath.Join(dir, Name(blob)), filepath.Join(dir, "blob")
			lay(path + suffix)
			for _, whole := range []bool{false, true} { // a process that stops halfway comes first
				p, err := Open(t.Context(), path, int64(len(text)))
				check(t, err)
				if p.Resumed != 0 {
					t.Errorf("%q: %d bytes resumed", suffix, p.Resumed)
				}
				_, err = p.WriteString(text[:5])
				check(t, err)
				check(t, p.AddDone(content.Span{First: 0, Length: 5}))
				if stop := errors.New("stop"); !whole {
					if err := p.Finish(name, stop); !errors.Is(err, stop) {
						t.Error(err)
					}
					continue
				}
				_, err = p.WriteString(text[5:])
				check(t, err)
				check(t, p.Finish(name, nil))
			}
			info, err := os.Lstat(name)
			check(t, err)
			if got, err := os.ReadFile(name); err != nil || string(got) != text || !info.Mode().IsRegular() {
				t.Errorf("%q: the blob is %q, mode %v, %v", suffix, got, info.Mode(), err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
				t.Errorf("%q: left %v, %v", suffix, left, err)
			}
			Sweep(path + suffix)
		})
	}
}

// TestTornSpans resumes a file whose writer was killed while it wrote a line, twice:
// what is written afterwards counts, and nothing else.
func TestTornSpans(t *testing.T) {
	t.Parallel()
	for _, torn := range []string{"", "1", "10", "10 ", "10 1", "\x00\x00"} {
		path := filepath.Join(t.TempDir(), Name(blob))
		check(t, os.WriteFile(path, []byte(text), 0o600))
		check(t, os.WriteFile(path+SpansSuffix, []byte(SpansHeader+"\n0 2\n"+torn), 0o600))
		want := []content.Span{{First: 0, Length: 2}}
		for i := range 3 {
			p, err := Open(t.Context(), path, int64(len(text)))
			check(t, err)
			if got := p.Done(); !slices.Equal(got, want) {
				t.Errorf("after %q: got %v, want %v", torn, got, want)
			}
			for _, first := range []int64{int64(4 + 4*i), int64(6 + 4*i)} {
				span := content.Span{First: first, Length: 1}
				check(t, p.AddDone(span))
				want = append(want, span)
			}
			_, err = p.spans.WriteString(torn)
			check(t, err)
			p.spans.Close() // it is killed
			p.Close()
			p.lock.Release()
		}
	}
}

// TestLongerFile does not resume a file that is longer than its blob.
func TestLongerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), Name(blob))
	check(t, os.WriteFile(path, []byte(text+"more"), 0o600))
	check(t, os.WriteFile(path+SpansSuffix, []byte(SpansHeader+"\n0 5\n"), 0o600))
	p, err := Open(t.Context(), path, int64(len(text)))
	check(t, err)
	defer p.Discard()
	if info, err := p.Stat(); err != nil || info.Size() != 0 || p.Resumed != 0 {
		t.Errorf("%d bytes resumed, the size is %d, %v", p.Resumed, info.Size(), err)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	hex := blob.Encoded()
	for name, want := range map[string]bool{
		Name(blob): true, Name(blob) + LockSuffix: true, Name(blob) + SpansSuffix: true, Name(blob) + ".RANDOM" + SpansSuffix: true,
		hex: false, Prefix + hex[1:]: false, Prefix + "x": false, Prefix: false, "": false,
	} {
		if got, ok := Digest(name); ok != want || ok && got != blob {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
	}
}
