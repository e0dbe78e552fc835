package transfer

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestSameLayoutTwice names one layout in two ways: it gets both tags.
func TestSameLayoutTwice(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 2)
	dir := t.TempDir()
	copied := CopyAll(t.Context(), layout.New(src), []Destination{
		{Target: layout.New(dir), Tags: []string{"a"}}, {Target: layout.New(filepath.Dir(dir) + "/./" + filepath.Base(dir)), Tags: []string{"b"}}}, Options{Reference: "image"})
	for i, tag := range []string{"a", "b"} {
		fixture.Check(t, copied[i].Err)
		if _, err := layout.New(dir).Resolve(t.Context(), tag); err != nil {
			t.Error(err)
		}
	}
	fixture.ValidateLayout(t, dir)
}

// TestSameFileTwice names one file in two ways: the second fails, and the first gets
// the image. They would wait for each other.
func TestSameFileTwice(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 2)
	tar := func(path string) content.Target { return archive.NewTarget(path) }
	dockerTar := func(path string) content.Target { return docker.NewArchiveTarget(path, "") }
	for name, open := range map[string][2]func(string) content.Target{"archives": {tar, tar}, "kinds of archive": {tar, dockerTar}} {
		for _, exists := range []bool{false, true} {
			place := filepath.Join(t.TempDir(), "place")
			link := filepath.Join(t.TempDir(), "link")
			fixture.Check(t, os.Symlink(filepath.Dir(place), link))
			first, second := open[0](place), open[1](filepath.Join(link, "place"))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if exists {
				old := open[0](place)
				mustCopy(t, layout.New(src), old, Options{Reference: "image", Tags: []string{"old"}})
				fixture.Check(t, old.(io.Closer).Close())
			}
			copied := CopyAll(ctx, layout.New(src), []Destination{{Target: first, Tags: []string{"a"}}, {Target: second, Tags: []string{"b"}}}, Options{Reference: "image"})
			if err := copied[0].Err; err != nil {
				t.Errorf("%s: the first: %v", name, err)
			}
			if err := copied[1].Err; err == nil || !strings.Contains(err.Error(), second.String()) || !strings.Contains(err.Error(), first.String()) {
				t.Errorf("%s: the second: %v", name, err)
			}
			cancel()
			for _, target := range []content.Target{first, second} {
				fixture.Check(t, target.(io.Closer).Close())
			}
		}
	}
}
