package transfer

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// copyTo copies to a target that is closed then.
func copyTo(t *testing.T, src Source, dst interface {
	Target
	Close() error
}, opts Options) (Result, error) {
	t.Helper()
	result, err := Copy(t.Context(), src, dst, opts)
	check(t, dst.Close())
	return result, err
}

// onlyFile checks that a file is alone in its directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	if len(files) != 1 || files[0].Name() != filepath.Base(path) {
		t.Errorf("beside %s: %v", path, files)
	}
}

// unpack brings all images of an archive into a layout, where another's code
// checks them.
func unpack(t *testing.T, path string, references ...string) string {
	t.Helper()
	a, err := OpenArchive(t.Context(), path, "")
	check(t, err)
	defer a.Close()
	dir := filepath.Join(t.TempDir(), "unpacked")
	for _, r := range references {
		mustCopy(t, a, NewLayout(dir), Options{Reference: r, Tags: []string{r}})
	}
	validateLayout(t, dir)
	return dir
}

func TestArchiveTarget(t *testing.T) {
	dir, image, index := newFixture(t, 2)
	src := NewLayout(dir)
	path := filepath.Join(t.TempDir(), "app.tar")
	first, err := copyTo(t, src, NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "image", Tags: []string{"image"}})
	check(t, err)
	if first.Digest != digestOf(t, image) || first.BlobsSent != 3 {
		t.Errorf("first %+v", first)
	}
	onlyFile(t, path)
	once, err := os.ReadFile(path)
	check(t, err)

	// Another image is added.
	second, err := copyTo(t, src, NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "index", Tags: []string{"index", "latest"}})
	check(t, err)
	if second.Digest != digestOf(t, index) {
		t.Errorf("second %+v", second)
	}
	unpack(t, path, "image", "index", "latest")
	onlyFile(t, path)

	// One that is there costs nothing, and the file stays the same.
	twice, err := os.ReadFile(path)
	check(t, err)
	third, err := copyTo(t, src, NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "index", Tags: []string{"index"}})
	check(t, err)
	again, err := os.ReadFile(path)
	check(t, err)
	if third.BlobsSent != 0 || !bytes.Equal(again, twice) {
		t.Errorf("third %+v, same bytes: %v", third, bytes.Equal(again, twice))
	}

	// A tag that moves away takes its image with it, but not what others need.
	_, err = copyTo(t, src, NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "image", Tags: []string{"index", "latest"}})
	check(t, err)
	unpack(t, path, "image", "index", "latest")
	moved, err := os.ReadFile(path)
	check(t, err)
	if len(moved) > len(once)+2048 {
		t.Errorf("%d bytes for one image that takes %d", len(moved), len(once))
	}

	// A stream of the same image is the same bytes as the file.
	var stream bytes.Buffer
	temp := t.TempDir()
	_, err = copyTo(t, src, NewArchiveTarget("-", ArchiveTargetOptions{Stream: &stream, TempDir: temp}), Options{Reference: "image", Tags: []string{"image"}})
	check(t, err)
	if !bytes.Equal(stream.Bytes(), once) {
		t.Error("a stream with other bytes than the file")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}
	// docker finds the image too.
	loaded, err := tarball.Image(opener(once), nil)
	check(t, err)
	check(t, validate.Image(loaded))
}

func opener(data []byte) tarball.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func TestArchiveTargetKeepsOtherFiles(t *testing.T) {
	dir, _, _ := newFixture(t, 1)
	check(t, os.WriteFile(filepath.Join(dir, "README"), []byte("mine"), 0o600))
	path := filepath.Join(t.TempDir(), "app.tar")
	check(t, os.WriteFile(path, tarOf(t, dir, "./"), 0o640))
	other, _, _ := newFixture(t, 1)
	_, err := copyTo(t, NewLayout(other), NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "image", Tags: []string{"new"}})
	check(t, err)
	unpack(t, path, "image", "index", "new")
	a, err := OpenArchive(t.Context(), path, "")
	check(t, err)
	defer a.Close()
	if data, err := readFile(a.files, "README", 100); err != nil || string(data) != "mine" {
		t.Errorf("another file: %q %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestArchiveTargetRefuses(t *testing.T) {
	dir, _, _ := newFixture(t, 1)
	for name, content := range map[string][]byte{
		"text":           []byte(strings.Repeat("text ", 1000)),
		"compressed":     {0x1f, 0x8b, 8, 0},
		"docker archive": legacySave(t, layerOf(t, 10, 1), layerOf(t, 10, 2)).bytes(),
	} {
		path := tempFileOf(t, content)
		_, err := copyTo(t, NewLayout(dir), NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "image"})
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "name another") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
		onlyFile(t, path)
	}
	if _, err := copyTo(t, NewLayout(dir), NewArchiveTarget(filepath.Join(dir, "none", "x.tar"), ArchiveTargetOptions{}), Options{Reference: "image"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// What a copy that broke off has brought is not brought again.
func TestArchiveTargetGoesOn(t *testing.T) {
	dir, _, _ := newFixture(t, 2)
	path := filepath.Join(t.TempDir(), "app.tar")
	src := NewLayout(dir)
	m, err := src.Resolve(t.Context(), "image")
	check(t, err)
	c, err := decodeManifest(m.Content, "")
	check(t, err)
	killed := NewArchiveTarget(path, ArchiveTargetOptions{})
	for _, d := range c.blobs[:2] {
		r, err := src.Blob(t.Context(), d)
		check(t, err)
		check(t, killed.PutBlob(t.Context(), d, r))
		check(t, r.Close())
	}
	check(t, killed.Close())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an archive: %v", err)
	}
	result, err := copyTo(t, NewLayout(dir), NewArchiveTarget(path, ArchiveTargetOptions{}), Options{Reference: "image", Tags: []string{"image"}})
	check(t, err)
	if result.BlobsSkipped != 2 {
		t.Errorf("%+v", result)
	}
	unpack(t, path, "image")
	onlyFile(t, path)
}

// layoutFor is an OCI layout of an index with an image for each platform.
func layoutFor(t *testing.T, platforms ...string) string {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, s := range platforms {
		image, err := random.Image(1000, 2)
		check(t, err)
		p, err := v1.ParsePlatform(s)
		check(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: p}})
	}
	dir := filepath.Join(t.TempDir(), "platforms")
	p, err := layout.Write(dir, emptyIndex(t))
	check(t, err)
	check(t, p.AppendIndex(index))
	return dir
}

func TestDockerArchiveTarget(t *testing.T) {
	dir, image, _ := newFixture(t, 2)
	path := filepath.Join(t.TempDir(), "app.tar")
	target := func() *DockerArchiveTarget {
		return NewDockerArchiveTarget(path, "team/app", ArchiveTargetOptions{})
	}
	result, err := copyTo(t, NewLayout(dir), target(), Options{Reference: "image", Tags: []string{"1", "2"}})
	check(t, err)
	if result.Digest != digestOf(t, image) {
		t.Errorf("%+v", result)
	}
	onlyFile(t, path)
	once, err := os.ReadFile(path)
	check(t, err)

	// Other code finds the image by its name.
	loaded, err := tarball.ImageFromPath(path, nil)
	check(t, err)
	check(t, validate.Image(loaded))
	manifest, err := tarball.LoadManifest(opener(once))
	check(t, err)
	if got := strings.Join(manifest[0].RepoTags, " "); got != "team/app:1 team/app:2" {
		t.Errorf("names: %s", got)
	}
	// With its digest it goes where it came from.
	a := openDocker(t, path, DockerArchiveOptions{})
	back := mustCopy(t, a, NewLayout(filepath.Join(t.TempDir(), "back")), Options{Reference: "team/app:2"})
	if back.Digest != result.Digest {
		t.Errorf("another digest: %+v", back)
	}
	// Again, it is the same file and moves nothing.
	result, err = copyTo(t, NewLayout(dir), target(), Options{Reference: "image", Tags: []string{"1", "2"}})
	check(t, err)
	again, err := os.ReadFile(path)
	check(t, err)
	if result.BlobsSent != 0 || !bytes.Equal(once, again) {
		t.Errorf("%+v, same bytes: %v", result, bytes.Equal(once, again))
	}
	// A new image takes the place of one of the same name, and of no other.
	newer, _, _ := newFixture(t, 1)
	_, err = copyTo(t, NewLayout(newer), NewDockerArchiveTarget(path, "team/other", ArchiveTargetOptions{}), Options{Reference: "image", Tags: []string{"1"}})
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "team/app:1") {
		t.Errorf("another name: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, once) {
		t.Errorf("the file was changed (%v)", err)
	}
	onlyFile(t, path)
	_, err = copyTo(t, NewLayout(newer), target(), Options{Reference: "image", Tags: []string{"3"}})
	check(t, err)
	if after, err := os.ReadFile(path); err != nil || bytes.Equal(after, once) {
		t.Errorf("the file was not changed (%v)", err)
	}
	several := tempFileOf(t, legacySave(t, layerOf(t, 10, 1), layerOf(t, 10, 2)).bytes())
	_, err = copyTo(t, NewLayout(newer), NewDockerArchiveTarget(several, "app", ArchiveTargetOptions{}), Options{Reference: "image", Tags: []string{"1"}})
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "several images") {
		t.Errorf("several images: %v", err)
	}
}

func TestDockerArchiveTakesOneImage(t *testing.T) {
	both := layoutFor(t, "linux/amd64", "linux/arm64", "windows/amd64")
	target := func() *DockerArchiveTarget {
		return NewDockerArchiveTarget(filepath.Join(t.TempDir(), "x.tar"), "", ArchiveTargetOptions{})
	}
	result, err := copyTo(t, NewLayout(both), target(), Options{})
	check(t, err)
	if result.BlobsSent != 3 {
		t.Errorf("of an index: %+v", result)
	}
	result, err = copyTo(t, NewLayout(both), target(), Options{Platforms: []Platform{{OS: "linux", Architecture: "arm64"}}})
	check(t, err)
	if result.BlobsSent != 3 {
		t.Errorf("of a platform: %+v", result)
	}
	_, err = copyTo(t, NewLayout(both), target(), Options{Platforms: []Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}}})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "linux/amd64, linux/arm64 with --platform") {
		t.Errorf("of two platforms: %v", err)
	}
	_, err = copyTo(t, NewLayout(layoutFor(t, "linux/s390x", "windows/amd64")), target(), Options{})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "linux/s390x, windows/amd64") {
		t.Errorf("of none for this machine: %v", err)
	}
	artifact := mutate.ConfigMediaType(empty.Image, "application/vnd.example")
	dir := filepath.Join(t.TempDir(), "artifact")
	p, err := layout.Write(dir, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(artifact))
	_, err = copyTo(t, NewLayout(dir), target(), Options{})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "application/vnd.example") {
		t.Errorf("an artifact: %v", err)
	}
}

func TestOpenStream(t *testing.T) {
	dir, image, _ := newFixture(t, 1)
	for name, tt := range map[string]struct {
		content   []byte
		reference string
		want      string
	}{
		"layout": {tarOf(t, dir, ""), "image", "oci-archive:-"},
		"docker": {legacySave(t, layerOf(t, 10, 1), layerOf(t, 10, 2)).bytes(), "2", "docker-archive:-"},
	} {
		s, err := OpenStream(t.Context(), bytes.NewReader(tt.content), KindArchive, DockerArchiveOptions{})
		check(t, err)
		result := mustCopy(t, s, NewLayout(filepath.Join(t.TempDir(), "d")), Options{Reference: tt.reference})
		if s.String() != tt.want || name == "layout" && result.Digest != digestOf(t, image) {
			t.Errorf("%s: %s %+v", name, s, result)
		}
		check(t, s.Close())
	}
	if _, err := OpenStream(t.Context(), strings.NewReader("text"), KindArchive, DockerArchiveOptions{}); !errors.Is(err, ErrIntegrity) {
		t.Errorf("text: %v", err)
	}
	broken := errors.New("input/output error")
	for _, prefix := range []string{"", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"} {
		_, err := OpenStream(t.Context(), io.MultiReader(strings.NewReader(prefix), iotest.ErrReader(broken)), KindArchive, DockerArchiveOptions{})
		if !errors.Is(err, broken) || errors.Is(err, ErrIntegrity) || errors.Is(err, ErrUnsupported) {
			t.Errorf("a broken pipe: %v", err)
		}
	}
	if _, err := OpenStream(t.Context(), strings.NewReader(""), KindArchive, DockerArchiveOptions{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("nothing: %v", err)
	}
}
