package archive

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// copyTo copies to a target that is closed then.
func copyTo(t *testing.T, src content.Source, dst interface {
	content.Target
	Close() error
}, opts transfer.Options) (transfer.Result, error) {
	t.Helper()
	result, err := transfer.Copy(t.Context(), src, dst, opts)
	fixture.Check(t, dst.Close())
	return result, err
}

// onlyFile checks that a file is alone in its directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	fixture.Check(t, err)
	if len(files) != 1 || files[0].Name() != filepath.Base(path) {
		t.Errorf("beside %s: %v", path, files)
	}
}

// unpack brings all images of an archive into a layout, where another's code
// checks them.
func unpack(t *testing.T, path string, references ...string) string {
	t.Helper()
	a, err := Open(t.Context(), path, "")
	fixture.Check(t, err)
	defer a.Close()
	dir := filepath.Join(t.TempDir(), "unpacked")
	for _, r := range references {
		mustCopy(t, a, layout.New(dir), transfer.Options{Reference: r, Tags: []string{r}})
	}
	fixture.ValidateLayout(t, dir)
	return dir
}

func TestArchiveTarget(t *testing.T) {
	dir, image, index := fixture.Layout(t, 2)
	src := layout.New(dir)
	path := filepath.Join(t.TempDir(), "app.tar")
	first, err := copyTo(t, src, NewTarget(path), transfer.Options{Reference: "image", Tags: []string{"image"}})
	fixture.Check(t, err)
	if first.Digest != fixture.DigestOf(t, image) || first.BlobsSent != 3 {
		t.Errorf("first %+v", first)
	}
	onlyFile(t, path)
	once, err := os.ReadFile(path)
	fixture.Check(t, err)

	// Another image is added.
	second, err := copyTo(t, src, NewTarget(path), transfer.Options{Reference: "index", Tags: []string{"index", "latest"}})
	fixture.Check(t, err)
	if second.Digest != fixture.DigestOf(t, index) {
		t.Errorf("second %+v", second)
	}
	unpack(t, path, "image", "index", "latest")
	onlyFile(t, path)

	// One that is there costs nothing, and the file stays the same.
	twice, err := os.ReadFile(path)
	fixture.Check(t, err)
	third, err := copyTo(t, src, NewTarget(path), transfer.Options{Reference: "index", Tags: []string{"index"}})
	fixture.Check(t, err)
	again, err := os.ReadFile(path)
	fixture.Check(t, err)
	if third.BlobsSent != 0 || !bytes.Equal(again, twice) {
		t.Errorf("third %+v, same bytes: %v", third, bytes.Equal(again, twice))
	}

	// A tag that moves away takes its image with it, but not what others need.
	_, err = copyTo(t, src, NewTarget(path), transfer.Options{Reference: "image", Tags: []string{"index", "latest"}})
	fixture.Check(t, err)
	unpack(t, path, "image", "index", "latest")
	moved, err := os.ReadFile(path)
	fixture.Check(t, err)
	if len(moved) > len(once)+2048 {
		t.Errorf("%d bytes for one image that takes %d", len(moved), len(once))
	}

	// A stream of the same image is the same bytes as the file.
	var stream bytes.Buffer
	temp := t.TempDir()
	_, err = copyTo(t, src, NewStreamTarget(&stream, temp), transfer.Options{Reference: "image", Tags: []string{"image"}})
	fixture.Check(t, err)
	if !bytes.Equal(stream.Bytes(), once) {
		t.Error("a stream with other bytes than the file")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}
	// docker finds the image too.
	loaded, err := tarball.Image(opener(once), nil)
	fixture.Check(t, err)
	fixture.Check(t, validate.Image(loaded))
}

func opener(data []byte) tarball.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func TestArchiveTargetKeepsOtherFiles(t *testing.T) {
	dir, _, _ := fixture.Layout(t, 1)
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "README"), []byte("mine"), 0o600))
	path := filepath.Join(t.TempDir(), "app.tar")
	fixture.Check(t, os.WriteFile(path, fixture.TarOf(t, dir, "./"), 0o640))
	other, _, _ := fixture.Layout(t, 1)
	_, err := copyTo(t, layout.New(other), NewTarget(path), transfer.Options{Reference: "image", Tags: []string{"new"}})
	fixture.Check(t, err)
	unpack(t, path, "image", "index", "new")
	a, err := Open(t.Context(), path, "")
	fixture.Check(t, err)
	defer a.Close()
	if data, err := imagefs.ReadFile(a.file.Files, "README", 100); err != nil || string(data) != "mine" {
		t.Errorf("another file: %q %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestArchiveTargetRefuses(t *testing.T) {
	dir, _, _ := fixture.Layout(t, 1)
	for name, data := range map[string][]byte{
		"text":           []byte(strings.Repeat("text ", 1000)),
		"compressed":     {0x1f, 0x8b, 8, 0},
		"docker archive": fixture.LegacySave(t, fixture.LayerOf(t, 10, 1), fixture.LayerOf(t, 10, 2)).Bytes(),
	} {
		path := fixture.TempFileOf(t, data)
		_, err := copyTo(t, layout.New(dir), NewTarget(path), transfer.Options{Reference: "image"})
		if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), "name another") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
		onlyFile(t, path)
	}
	if _, err := copyTo(t, layout.New(dir), NewTarget(filepath.Join(dir, "none", "x.tar")), transfer.Options{Reference: "image"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// What a copy that broke off has brought is not brought again.
func TestArchiveTargetGoesOn(t *testing.T) {
	dir, _, _ := fixture.Layout(t, 2)
	path := filepath.Join(t.TempDir(), "app.tar")
	src := layout.New(dir)
	m, err := src.Resolve(t.Context(), "image")
	fixture.Check(t, err)
	c, err := content.DecodeManifest(m.Content, "")
	fixture.Check(t, err)
	killed := NewTarget(path)
	for _, d := range c.Blobs[:2] {
		r, err := src.Blob(t.Context(), d)
		fixture.Check(t, err)
		fixture.Check(t, killed.PutBlob(t.Context(), d, r))
		fixture.Check(t, r.Close())
	}
	fixture.Check(t, killed.Close())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an archive: %v", err)
	}
	result, err := copyTo(t, layout.New(dir), NewTarget(path), transfer.Options{Reference: "image", Tags: []string{"image"}})
	fixture.Check(t, err)
	if result.BlobsSkipped != 2 {
		t.Errorf("%+v", result)
	}
	unpack(t, path, "image")
	onlyFile(t, path)
}

// TestTwoCopiesToOneTarget copies one image after another to one target: the second is added.
func TestTwoCopiesToOneTarget(t *testing.T) {
	first, one, _ := fixture.Layout(t, 1)
	second, two, _ := fixture.Layout(t, 2)
	path := filepath.Join(t.TempDir(), "app.tar")
	target := NewTarget(path)
	mustCopy(t, layout.New(first), target, transfer.Options{Reference: "image", Tags: []string{"1"}})
	mustCopy(t, layout.New(second), target, transfer.Options{Reference: "image", Tags: []string{"2"}})
	fixture.Check(t, target.Close())
	onlyFile(t, path)
	for tag, want := range map[string]digest.Digest{"1": fixture.DigestOf(t, one), "2": fixture.DigestOf(t, two)} {
		m, err := layout.New(unpack(t, path, tag)).Resolve(t.Context(), tag)
		if err != nil || m.Descriptor.Digest != want {
			t.Errorf("%s: %s, %v, want %s", tag, m.Descriptor.Digest, err, want)
		}
	}
}
