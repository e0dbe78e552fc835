package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// changes are what another program does to the layer at an offset of a file while it is read.
var changes = map[string]func(t *testing.T, path string, offset, size int64){
	"other bytes": func(t *testing.T, path string, offset, size int64) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		fixture.Check(t, err)
		_, err = f.WriteAt([]byte("changed"), offset+size/2)
		fixture.Check(t, errors.Join(err, f.Close()))
	},
	"shorter": func(t *testing.T, path string, offset, size int64) {
		fixture.Check(t, os.Truncate(path, offset+size/2))
	},
}

// changingTarget has the source change when the first bytes of a layer are taken from it.
type changingTarget struct {
	content.Target
	layer  digest.Digest
	change func()
}

func (c changingTarget) PutBlob(ctx context.Context, d content.Descriptor, r io.Reader) error {
	if d.Digest == c.layer {
		all := r
		r = io.MultiReader(io.LimitReader(all, 1000), readerFunc(func(p []byte) (int, error) { c.change(); return all.Read(p) }))
	}
	return c.Target.PutBlob(ctx, d, r)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// changingUploader is a changingTarget that takes parts.
type changingUploader struct{ changingTarget }

func (c changingUploader) UploadBlob(ctx context.Context, d content.Descriptor, parts content.PartReader, u content.Upload) error {
	if d.Digest == c.layer {
		parts = changingParts{parts, c}
	}
	return c.Target.(content.BlobUploader).UploadBlob(ctx, d, parts, u)
}

type changingParts struct {
	content.PartReader
	c changingUploader
}

func (c changingParts) Part(ctx context.Context, first, n int64) (content.Part, error) {
	c.c.change()
	return c.PartReader.Part(ctx, first, n)
}

// TestSourceChanges copies from files that are written to while they are read: nothing is stored, and the error
// names the file and says that it has changed, whoever noticed it.
func TestSourceChanges(t *testing.T) {
	t.Parallel()
	layer := fixture.LayerOf(t, 200_000, 1)
	d := digest.FromBytes(layer)
	save := fixture.NewTestTar(t)
	save.JSON("config.json", fixture.ConfigOf(layer))
	save.File("layer.tar", layer)
	save.JSON("manifest.json", []map[string]any{{"Config": "config.json", "RepoTags": []string{"app:1"}, "Layers": []string{"layer.tar"}}})
	tar := save.Bytes()
	sources := map[string]func(t *testing.T) (src content.Source, path string){
		"docker archive": func(t *testing.T) (content.Source, string) {
			path := old(t, fixture.TempFileOf(t, tar))
			a, err := docker.OpenArchive(t.Context(), path, docker.ArchiveOptions{Compression: "none"})
			fixture.Check(t, err)
			t.Cleanup(func() { a.Close() })
			return a, path
		},
	}
	// The same image in the other formats.
	a, err := docker.OpenArchive(t.Context(), fixture.TempFileOf(t, tar), docker.ArchiveOptions{Compression: "none"})
	fixture.Check(t, err)
	dir := t.TempDir()
	mustCopy(t, a, layout.New(dir), Options{Tags: []string{"x"}})
	fixture.Check(t, a.Close())
	sources["layout"] = func(t *testing.T) (content.Source, string) {
		own := t.TempDir()
		fixture.Check(t, os.CopyFS(own, os.DirFS(dir)))
		return layout.New(own), old(t, fixture.BlobFile(own, d))
	}
	sources["OCI archive"] = func(t *testing.T) (content.Source, string) {
		path := old(t, fixture.TempFileOf(t, fixture.TarOf(t, dir, "")))
		a, err := archive.Open(t.Context(), path, "")
		fixture.Check(t, err)
		t.Cleanup(func() { a.Close() })
		return a, path
	}
	w := newWorld(t, localecr.Options{})
	targets := map[string]func(t *testing.T, c changingTarget) (content.Target, content.Target){
		"as a stream": func(_ *testing.T, c changingTarget) (content.Target, content.Target) {
			c.Target = plainTarget{memory.New("dst")}
			return c, c.Target
		},
		"registry": func(t *testing.T, c changingTarget) (content.Target, content.Target) {
			c.Target = newNeutralRegistry(t).repository("app")
			return changingUploader{c}, c.Target
		},
		"Amazon ECR, /v2/": func(t *testing.T, c changingTarget) (content.Target, content.Target) {
			e := w.v2Repository("app")
			e.Upload = ecr.UploadV2
			c.Target = e
			return changingUploader{c}, e
		},
		"Amazon ECR, parts": func(t *testing.T, c changingTarget) (content.Target, content.Target) {
			e := w.repository("app")
			e.Upload = ecr.UploadNative
			c.Target = e
			return changingUploader{c}, e
		},
	}
	for from, open := range sources {
		for to, wrap := range targets {
			for name, change := range changes {
				t.Run(from+", "+to+", "+name, func(t *testing.T) {
					src, path := open(t)
					data, err := os.ReadFile(path)
					fixture.Check(t, err)
					offset := int64(bytes.Index(data, layer))
					once := sync.OnceFunc(func() { change(t, path, offset, int64(len(layer))) })
					target, dst := wrap(t, changingTarget{layer: d, change: once})
					_, err = Copy(fixture.Context(t), src, target, Options{Tags: []string{"x"}})
					var changed *content.ChangedError
					if !errors.As(err, &changed) || !errors.Is(err, content.ErrIntegrity) {
						t.Fatalf("got %v", err)
					}
					// The config, which a shorter archive lacks too, may be read before the layer.
					const blob = "blob sha256:"
					for _, want := range []string{src.String(), blob, "the file changed while it was read"} {
						if n := strings.Count(err.Error(), want); n == 0 || n > 1 && want != blob {
							t.Errorf("%q is in the error %d times: %v", want, n, err)
						}
					}
					if !fixture.Absent(t, dst.(content.Resolver), "x") {
						t.Error("the image was stored")
					}
				})
			}
		}
	}
}

// old makes a file an hour old: some file systems note times roughly.
func old(t *testing.T, path string) string {
	t.Helper()
	then := time.Now().Add(-time.Hour)
	fixture.Check(t, os.Chtimes(path, then, then))
	return path
}

// plainTarget has no method but those of a [content.Target], and of a [content.Resolver].
type plainTarget struct{ content.Endpoint }
