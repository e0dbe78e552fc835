package docker_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/docker"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestDockerArchiveTarget(t *testing.T) {
	dir, image, _ := fixture.Layout(t, 2)
	path := filepath.Join(t.TempDir(), "app.tar")
	target := func() *docker.ArchiveTarget {
		return docker.NewArchiveTarget(path, "team/app")
	}
	result, err := copyTo(t, layout.New(dir), target(), transfer.Options{Reference: "image", Tags: []string{"1", "2"}})
	fixture.Check(t, err)
	if result.Digest != fixture.DigestOf(t, image) {
		t.Errorf("%+v", result)
	}
	onlyFile(t, path)
	once, err := os.ReadFile(path)
	fixture.Check(t, err)

	// Other code finds the image by its name.
	loaded, err := tarball.ImageFromPath(path, nil)
	fixture.Check(t, err)
	fixture.Check(t, validate.Image(loaded))
	manifest, err := tarball.LoadManifest(opener(once))
	fixture.Check(t, err)
	if got := strings.Join(manifest[0].RepoTags, " "); got != "team/app:1 team/app:2" {
		t.Errorf("names: %s", got)
	}
	// With its digest it goes where it came from.
	a := openDocker(t, path, docker.ArchiveOptions{})
	back := mustCopy(t, a, layout.New(filepath.Join(t.TempDir(), "back")), transfer.Options{Reference: "team/app:2"})
	if back.Digest != result.Digest {
		t.Errorf("another digest: %+v", back)
	}
	// Again, it is the same file and moves nothing.
	result, err = copyTo(t, layout.New(dir), target(), transfer.Options{Reference: "image", Tags: []string{"1", "2"}})
	fixture.Check(t, err)
	again, err := os.ReadFile(path)
	fixture.Check(t, err)
	if result.BlobsSent != 0 || !bytes.Equal(once, again) {
		t.Errorf("%+v, same bytes: %v", result, bytes.Equal(once, again))
	}
	// A new image takes the place of one of the same name, and of no other.
	newer, _, _ := fixture.Layout(t, 1)
	_, err = copyTo(t, layout.New(newer), docker.NewArchiveTarget(path, "team/other"), transfer.Options{Reference: "image", Tags: []string{"1"}})
	if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), "team/app:1") {
		t.Errorf("another name: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, once) {
		t.Errorf("the file was changed (%v)", err)
	}
	onlyFile(t, path)
	_, err = copyTo(t, layout.New(newer), target(), transfer.Options{Reference: "image", Tags: []string{"3"}})
	fixture.Check(t, err)
	if after, err := os.ReadFile(path); err != nil || bytes.Equal(after, once) {
		t.Errorf("the file was not changed (%v)", err)
	}
	several := fixture.TempFileOf(t, fixture.LegacySave(t, fixture.LayerOf(t, 10, 1), fixture.LayerOf(t, 10, 2)).Bytes())
	_, err = copyTo(t, layout.New(newer), docker.NewArchiveTarget(several, "app"), transfer.Options{Reference: "image", Tags: []string{"1"}})
	if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), "several images") {
		t.Errorf("several images: %v", err)
	}
}

func TestDockerArchiveTakesOneImage(t *testing.T) {
	both := fixture.LayoutFor(t, "linux/amd64", "linux/arm64", "windows/amd64")
	target := func() *docker.ArchiveTarget {
		return docker.NewArchiveTarget(filepath.Join(t.TempDir(), "x.tar"), "")
	}
	result, err := copyTo(t, layout.New(both), target(), transfer.Options{})
	fixture.Check(t, err)
	if result.BlobsSent != 3 {
		t.Errorf("of an index: %+v", result)
	}
	result, err = copyTo(t, layout.New(both), target(), transfer.Options{Platforms: []content.Platform{{OS: "linux", Architecture: "arm64"}}})
	fixture.Check(t, err)
	if result.BlobsSent != 3 {
		t.Errorf("of a platform: %+v", result)
	}
	_, err = copyTo(t, layout.New(both), target(), transfer.Options{Platforms: []content.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}}})
	if !errors.Is(err, content.ErrUnsupported) || !errors.Is(err, content.ErrPlatformNeeded) || !strings.Contains(err.Error(), "linux/amd64, linux/arm64; the destination takes one image") {
		t.Errorf("of two platforms: %v", err)
	}
	_, err = copyTo(t, layout.New(fixture.LayoutFor(t, "linux/s390x", "windows/amd64")), target(), transfer.Options{})
	if !errors.Is(err, content.ErrNotFound) || !strings.Contains(err.Error(), "linux/s390x, windows/amd64") {
		t.Errorf("of none for this machine: %v", err)
	}
	artifact := mutate.ConfigMediaType(empty.Image, "application/vnd.example")
	dir := filepath.Join(t.TempDir(), "artifact")
	p, err := ggcrlayout.Write(dir, fixture.EmptyIndex(t))
	fixture.Check(t, err)
	fixture.Check(t, p.AppendImage(artifact))
	_, err = copyTo(t, layout.New(dir), target(), transfer.Options{})
	if !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), "application/vnd.example") {
		t.Errorf("an artifact: %v", err)
	}
}

// TestTwoCopiesToOneTarget copies one image after another to one target: each is a copy of
// its own.
func TestTwoCopiesToOneTarget(t *testing.T) {
	first, _, _ := fixture.Layout(t, 1)
	second, image, _ := fixture.Layout(t, 2)
	path := filepath.Join(t.TempDir(), "app.tar")
	target := docker.NewArchiveTarget(path, "team/app")
	mustCopy(t, layout.New(first), target, transfer.Options{Reference: "image", Tags: []string{"1"}})
	mustCopy(t, layout.New(second), target, transfer.Options{Reference: "image", Tags: []string{"2"}})
	fixture.Check(t, target.Close())
	onlyFile(t, path)
	data, err := os.ReadFile(path)
	fixture.Check(t, err)
	manifest, err := tarball.LoadManifest(opener(data))
	fixture.Check(t, err)
	if len(manifest) != 1 || strings.Join(manifest[0].RepoTags, " ") != "team/app:2" {
		t.Errorf("%+v", manifest)
	}
	back := mustCopy(t, openDocker(t, path, docker.ArchiveOptions{}), layout.New(t.TempDir()), transfer.Options{Reference: "team/app:2"})
	if back.Digest != fixture.DigestOf(t, image) {
		t.Errorf("%s is in the file, want %s", back.Digest, fixture.DigestOf(t, image))
	}

	var stream bytes.Buffer
	target = docker.NewStreamTarget(&stream, "team/app", t.TempDir())
	mustCopy(t, layout.New(first), target, transfer.Options{Reference: "image", Tags: []string{"1"}})
	length := stream.Len()
	_, err = copyTo(t, layout.New(second), target, transfer.Options{Reference: "image", Tags: []string{"2"}})
	if !errors.Is(err, content.ErrConflict) || stream.Len() != length {
		t.Errorf("a second image in a stream: %v, %d bytes after %d", err, stream.Len(), length)
	}
}
