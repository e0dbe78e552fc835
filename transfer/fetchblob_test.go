package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// newBlob puts a blob of some chunks into the repository "app" and into a layout.
func newBlob(t *testing.T, w *world) (content.Descriptor, []byte, *layout.Layout) {
	t.Helper()
	data := make([]byte, 3*streamChunk+12345)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	d := content.Descriptor{Digest: digest.FromBytes(data), Size: int64(len(data))}
	l := layout.New(filepath.Join(t.TempDir(), "layout"))
	fixture.Check(t, l.PutBlob(t.Context(), d, bytes.NewReader(data)))
	e := w.repository("app")
	config := []byte("{}")
	c := content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
	fixture.Check(t, e.PutBlob(t.Context(), d, bytes.NewReader(data)))
	fixture.Check(t, e.PutBlob(t.Context(), c, bytes.NewReader(config)))
	// Amazon ECR returns a layer when an image names it.
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: c,
		Layers: []content.Descriptor{{MediaType: ocispec.MediaTypeImageLayer, Digest: d.Digest, Size: d.Size}},
	})
	fixture.Check(t, err)
	fixture.Check(t, e.PutManifest(t.Context(), content.Manifest{Content: manifest, Descriptor: content.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest)),
	}}))
	w.Calls.Reset()
	return d, data, l
}

func TestFetchBlob(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	d, data, l := newBlob(t, w)
	for name, src := range map[string]content.Source{"ecr": w.repository("app"), "layout": l} {
		t.Run(name, func(t *testing.T) {
			stat, err := src.(content.BlobStatter).StatBlob(t.Context(), d.Digest)
			fixture.Check(t, err)
			if stat.Digest != d.Digest || stat.Size != d.Size {
				t.Errorf("stat %+v", stat)
			}
			if _, err := src.(content.BlobStatter).StatBlob(t.Context(), someSHA); !errors.Is(err, content.ErrNotFound) {
				t.Errorf("got %v", err)
			}
			path := filepath.Join(t.TempDir(), "blob")
			var moved atomic.Int64
			opts := Options{Progress: func(e content.Event) {
				if e.Kind == content.EventMoved {
					moved.Add(e.Bytes)
				}
			}}
			for i, want := range []content.Outcome{content.OutcomeSent, content.OutcomeSkipped} {
				outcome, err := FetchBlob(t.Context(), src, stat, path, opts)
				fixture.Check(t, err)
				if outcome != want {
					t.Errorf("fetch %d: %s, want %s", i, outcome, want)
				}
			}
			got, err := os.ReadFile(path)
			fixture.Check(t, err)
			if !bytes.Equal(got, data) || moved.Load() != d.Size {
				t.Errorf("other bytes, or %d moved of %d", moved.Load(), d.Size)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			fixture.Check(t, err)
			if len(entries) != 1 {
				t.Errorf("left: %v", entries)
			}
			fixture.Check(t, os.WriteFile(path, []byte("something else"), 0o666))
			if outcome, err := FetchBlob(t.Context(), src, stat, path, opts); err != nil || outcome != content.OutcomeSent {
				t.Errorf("over another file: %s, %v", outcome, err)
			}
			var out bytes.Buffer
			moved.Store(0)
			fixture.Check(t, StreamBlob(t.Context(), src, stat, &out, opts))
			if !bytes.Equal(out.Bytes(), data) || moved.Load() != d.Size {
				t.Errorf("other bytes on the stream, or %d moved of %d", moved.Load(), d.Size)
			}
		})
	}
}

// TestFetchBlobGoesOn interrupts a fetch.
func TestFetchBlobGoesOn(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	d, data, _ := newBlob(t, w)
	path := filepath.Join(t.TempDir(), "blob")
	ctx, cancel := context.WithCancel(t.Context())
	var before atomic.Int64
	_, err := FetchBlob(ctx, w.repository("app"), d, path, Options{Connections: 1, Progress: func(e content.Event) {
		if e.Kind == content.EventMoved && before.Add(e.Bytes) > 4<<20 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the file is there although not all of it is")
	}
	var resumed, moved atomic.Int64
	outcome, err := FetchBlob(t.Context(), w.repository("app"), d, path, Options{Progress: func(e content.Event) {
		switch e.Kind {
		case content.EventResumed:
			resumed.Add(e.Bytes)
		case content.EventMoved:
			moved.Add(e.Bytes)
		}
	}})
	fixture.Check(t, err)
	got, err := os.ReadFile(path)
	fixture.Check(t, err)
	if outcome != content.OutcomeResumed || !bytes.Equal(got, data) || resumed.Load() == 0 || resumed.Load()+moved.Load() != d.Size {
		t.Errorf("%s, %d resumed and %d moved of %d", outcome, resumed.Load(), moved.Load(), d.Size)
	}
}

// TestFetchBlobWrong has other bytes come than were asked for.
func TestFetchBlobWrong(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	d, _, l := newBlob(t, w)
	at := int64(100)
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "GET /layers/{digest}", Count: -1, WrongByte: &at}))
	f, err := os.OpenFile(fixture.BlobFile(l.Dir(), d.Digest), os.O_WRONLY, 0)
	fixture.Check(t, err)
	_, err = f.WriteAt([]byte("x"), 100)
	fixture.Check(t, errors.Join(err, f.Close()))
	for name, src := range map[string]content.Source{"ecr": w.repository("app"), "layout": l} {
		dir := t.TempDir()
		if _, err := FetchBlob(t.Context(), src, d, filepath.Join(dir, "blob"), Options{}); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s: got %v", name, err)
		}
		entries, err := os.ReadDir(dir)
		fixture.Check(t, err)
		if len(entries) > 0 {
			t.Errorf("%s: left %v", name, entries)
		}
		if err := StreamBlob(t.Context(), src, d, io.Discard, Options{}); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s: stream: got %v", name, err)
		}
	}
}

// TestStreamBlobEnds has the reader of the stream go away.
func TestStreamBlobEnds(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	d, _, _ := newBlob(t, w)
	gone := errors.New("gone")
	if err := StreamBlob(t.Context(), w.repository("app"), d, failingWriter{gone}, Options{Connections: 2}); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
