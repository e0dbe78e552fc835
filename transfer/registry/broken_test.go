package registry

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestPutBlobAgain has a registry be busy for a moment when it gets a blob: content that can be read once only is
// sent again all the same.
func TestPutBlobAgain(t *testing.T) {
	t.Parallel()
	const data = "a signature"
	for name, source := range map[string]io.Reader{
		"file":   strings.NewReader(data),
		"stream": iotest.OneByteReader(strings.NewReader(data)),
	} {
		t.Run(name, func(t *testing.T) {
			n := newNeutralRegistry(t)
			var puts atomic.Int32
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || puts.Add(1) > 1 {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
			d := fixture.BlobOf(data, "text/plain")
			fixture.Check(t, n.repository("app").PutBlob(fixture.Context(t), d, source))
			body, err := n.repository("app").Blob(t.Context(), d)
			fixture.Check(t, err)
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || string(got) != data || puts.Load() != 2 {
				t.Errorf("%q after %d PUTs: %v", got, puts.Load(), err)
			}
		})
	}
}

// TestBlobResumes has the connection break while a blob is read, with and without ranges.
func TestBlobResumes(t *testing.T) {
	t.Parallel()
	src, image := fixture.NewImage(t, 1<<20)
	layers, err := image.Layers()
	fixture.Check(t, err)
	large := fixture.DigestOf(t, layers[0])
	data, err := os.ReadFile(fixture.BlobFile(src, large))
	fixture.Check(t, err)
	for name, ranges := range map[string]bool{"ranges": true, "no ranges": false} {
		t.Run(name, func(t *testing.T) {
			n := newNeutralRegistry(t)
			mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
			var gets, again atomic.Int32
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, string(large)) {
					return false
				}
				if r.Header.Get("Range") != "" {
					again.Add(1)
				}
				if !ranges {
					r.Header.Del("Range")
				}
				if gets.Add(1) > 3 {
					return false
				}
				first := 0
				if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
					first, _ = strconv.Atoi(strings.Split(from, "-")[0])
					w.Header().Set("Content-Range", "bytes "+from+"/"+strconv.Itoa(len(data)))
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(data)-first))
				if first > 0 {
					w.WriteHeader(http.StatusPartialContent)
				}
				_, _ = w.Write(data[first : first+(len(data)-first)/2])
				panic(http.ErrAbortHandler)
			})
			d := content.Descriptor{MediaType: "x/y", Digest: large, Size: int64(len(data))}
			body, err := n.repository("app").Blob(fixture.Context(t), d)
			fixture.Check(t, err)
			defer body.Close()
			got, err := io.ReadAll(content.NewVerifyingReader(t.Context(), body, d))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d of %d bytes: %v", len(got), len(data), err)
			}
			if again.Load() == 0 {
				t.Error("no range was asked for")
			}
			// And so does a whole copy.
			gets.Store(0)
			dst := filepath.Join(t.TempDir(), "dst")
			mustCopy(t, n.repository("app"), layout.New(dst), transfer.Options{Reference: "1", Tags: []string{"x"}})
			fixture.ValidateLayout(t, dst)
		})
	}
}
