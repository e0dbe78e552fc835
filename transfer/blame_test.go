package transfer

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// failingSource is a source whose blobs break off, with or without ranges.
type failingSource struct {
	*layout.Layout
	err error
}

// String implements fmt.Stringer.
func (failingSource) String() string { return "source.test/app" }

// Blob implements content.BlobReader.
func (s failingSource) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	body, err := s.Layout.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	body.Close()
	return io.NopCloser(brokenReader{s.err}), nil
}

// brokenReader is a reader that fails.
type brokenReader struct{ err error }

// Read implements io.Reader.
func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// streamSource has no ranges and no files.
type streamSource struct{ content.Source }

// rangeSource has ranges and no files.
type rangeSource struct {
	content.Source
	err error
}

// Ranges implements content.RangeReader.
func (s rangeSource) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(context.Context, int64, int64) (io.ReadCloser, error) {
		return io.NopCloser(brokenReader{s.err}), nil
	}, nil
}

// TestSourceIsNamed has a source fail for good: the error names it and the blob, whatever the destination is and however it is read.
func TestSourceIsNamed(t *testing.T) {
	t.Parallel()
	dir, _ := fixture.NewImage(t, 100_000)
	for name, broken := range map[string]error{"stalls": errors.New("no byte came for 30s"), "throttled": &retry.GaveUp{Err: errors.New("429")}} {
		source := failingSource{layout.New(dir), broken}
		for kind, src := range map[string]content.Source{"stream": streamSource{source}, "ranges": rangeSource{streamSource{source}, broken}} {
			for many, targets := range map[string]int{"one": 1, "two": 2} {
				t.Run(strings.Join([]string{name, kind, many}, " "), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var destinations []Destination
						for range targets {
							destinations = append(destinations, Destination{Target: memory.New("destination"), Tags: []string{"x"}})
						}
						var err error
						for _, r := range CopyAll(t.Context(), src, destinations, Options{Reference: "x"}) {
							err = errors.Join(err, r.Err)
						}
						if err == nil || !strings.Contains(err.Error(), "source.test/app: ") || strings.Count(err.Error(), "source.test/app") > targets || strings.Count(err.Error(), "blob sha256:") != targets {
							t.Errorf("got %v", err)
						}
					})
				})
			}
		}
	}
}

// TestSourceOfOneBlobIsNamed has a source fail for good while one blob is read: the error names both, however it is read.
func TestSourceOfOneBlobIsNamed(t *testing.T) {
	t.Parallel()
	dir, image := fixture.NewImage(t, 100_000)
	layers, err := image.Layers()
	fixture.Check(t, err)
	name, err := layers[0].Digest()
	fixture.Check(t, err)
	size, err := layers[0].Size()
	fixture.Check(t, err)
	d := content.Descriptor{Digest: digest.Digest(name.String()), Size: size}
	broken := &retry.GaveUp{Err: errors.New("no byte came for 30s")}
	source := failingSource{layout.New(dir), broken}
	for kind, src := range map[string]content.Source{"stream": streamSource{source}, "ranges": rangeSource{streamSource{source}, broken}} {
		file, err := os.Create(filepath.Join(t.TempDir(), "followed"))
		fixture.Check(t, err)
		t.Cleanup(func() { file.Close() })
		for how, read := range map[string]func() error{
			"to a stream": func() error { return StreamBlob(t.Context(), src, d, io.Discard, Options{}) },
			"to a file": func() error {
				_, err := FetchBlob(t.Context(), src, d, filepath.Join(t.TempDir(), "file"), Options{})
				return err
			},
			"followed": func() error { return FollowBlob(t.Context(), src, d, file, func(int64) {}, Options{}) },
			"from a byte": func() error {
				body, err := OpenBlobAt(t.Context(), src, d, 7)
				if err != nil {
					return err
				}
				defer body.Close()
				_, err = io.Copy(io.Discard, body)
				return err
			},
		} {
			if err := read(); err == nil || strings.Count(err.Error(), "source.test/app: ") != 1 || strings.Count(err.Error(), "blob "+name.String()) != 1 {
				t.Errorf("%s, %s: %v", kind, how, err)
			}
		}
	}
}

// TestCorruptSourceIsNamedFirst has a layer of the source be other bytes than its digest says: the error begins with the source,
// and does not name the destination, which has no fault.
func TestCorruptSourceIsNamedFirst(t *testing.T) {
	t.Parallel()
	dir, image := fixture.NewImage(t, 100_000)
	layers, err := image.Layers()
	fixture.Check(t, err)
	d, err := layers[0].Digest()
	fixture.Check(t, err)
	blob := filepath.Join(dir, "blobs", d.Algorithm, d.Hex)
	data, err := os.ReadFile(blob)
	fixture.Check(t, err)
	data[1000] ^= 1
	fixture.Check(t, os.WriteFile(blob, data, 0o600))
	for kind, src := range map[string]content.Source{"file": layout.New(dir), "stream": streamSource{layout.New(dir)}} {
		for name, targets := range map[string]int{"one": 1, "two": 2} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				var destinations []Destination
				for range targets {
					destinations = append(destinations, Destination{Target: layout.New(filepath.Join(t.TempDir(), "destination")), Tags: []string{"x"}})
				}
				for _, r := range CopyAll(t.Context(), src, destinations, Options{Reference: "x"}) {
					if r.Err == nil || !errors.Is(r.Err, content.ErrIntegrity) || !strings.HasPrefix(r.Err.Error(), "oci:"+dir+": ") || strings.Contains(r.Err.Error(), "destination") {
						t.Errorf("got %v", r.Err)
					}
				}
			})
		}
	}
}
