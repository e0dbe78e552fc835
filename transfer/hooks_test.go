package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

var errRefused = errors.New("refused by the test")

// hook notes the calls of Options.BeforeTags.
type hook struct {
	mu    sync.Mutex
	calls []string // TARGET@DIGEST
	do    func(ctx context.Context, dst content.Target, image content.Manifest) error
}

func (h *hook) run(ctx context.Context, dst content.Target, image content.Manifest) error {
	h.mu.Lock()
	h.calls = append(h.calls, dst.String()+"@"+string(image.Descriptor.Digest))
	h.mu.Unlock()
	if h.do == nil {
		return nil
	}
	return h.do(ctx, dst, image)
}

// expect compares the calls since the last time.
func (h *hook) expect(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(h.calls)
	slices.Sort(want)
	if !slices.Equal(h.calls, want) {
		t.Errorf("calls of the hook:\n%q\nwant\n%q", h.calls, want)
	}
	h.calls = nil
}

// While the hook runs, all of the image is there and its tag is not; if it fails,
// the tag never is.
func TestBeforeTags(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	n := newNeutralRegistry(t)
	dir, _, index := fixture.Layout(t, 2)
	type endpoint interface {
		content.Endpoint
		content.ReferrerLister
	}
	for place, dst := range []endpoint{
		w.repository("app"), w.v2Repository("app"), w.v2Registry("app"), n.repository("app"),
		layout.New(filepath.Join(t.TempDir(), "dst")),
	} {
		for i, want := range []error{errRefused, nil} {
			tag := fmt.Sprintf("%d-%d", place, i)
			h := &hook{do: func(ctx context.Context, to content.Target, image content.Manifest) error {
				if to != content.Target(dst) {
					t.Errorf("called for %v", to)
				}
				for range 20 {
					if !fixture.Absent(t, dst, tag) {
						t.Errorf("%s: the tag is there while the hook runs", dst)
					}
				}
				g, err := imagetree.ReadBelow(ctx, dst, image, false)
				fixture.Check(t, err)
				missing, err := dst.MissingBlobs(ctx, g.Blobs)
				fixture.Check(t, err)
				if len(g.Manifests) != 3 || len(missing) > 0 {
					t.Errorf("%s: %d manifests are there, and %d blobs are not", dst, len(g.Manifests), len(missing))
				}
				return want
			}}
			_, err := Copy(t.Context(), layout.New(dir), dst, Options{Reference: "index", Tags: []string{tag}, BeforeTags: h.run})
			if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), dst.String()) {
				t.Errorf("%s: %v, want %v", dst, err, want)
			}
			if fixture.Absent(t, dst, tag) != (want != nil) {
				t.Errorf("%s: the tag is there or not as it must not be after %v", dst, want)
			}
			h.expect(t, dst.String()+"@"+string(fixture.DigestOf(t, index)))
		}
	}
}

// A tag that is polled for all the time never names an image before the hook has
// come to its end.
func TestBeforeTagsWatched(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dir, _, _ := fixture.Layout(t, 2)
	watcher := w.repository("app")
	signed := make(chan struct{})
	stop, begun := make(chan struct{}), make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for polls := 0; ; polls++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := watcher.Resolve(t.Context(), "1")
			if polls == 1 {
				close(begun)
			}
			if err != nil {
				if !errors.Is(err, content.ErrNotFound) {
					t.Error(err)
				}
				continue
			}
			select {
			case <-signed:
			default:
				t.Error("the tag was there before the hook was done")
			}
		}
	})
	<-begun
	h := &hook{do: func(context.Context, content.Target, content.Manifest) error {
		for range 10 {
			fixture.Absent(t, watcher, "1")
		}
		close(signed)
		return nil
	}}
	mustCopy(t, layout.New(dir), w.repository("app"), Options{Reference: "index", Tags: []string{"1"}, BeforeTags: h.run})
	close(stop)
	watching.Wait()
	if fixture.Absent(t, watcher, "1") {
		t.Error("there is no tag")
	}
}

// The hook runs once also where nothing is to be done, and costs one PutImage where
// something is.
func TestBeforeTagsCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dir, image, index := fixture.Layout(t, 2)
	dst := w.repository("app")
	h := &hook{}
	opts := Options{Reference: "index", Tags: []string{"1", "2"}, JournalDir: t.TempDir(), BeforeTags: h.run}
	place := dst.String() + "@" + string(fixture.DigestOf(t, index))

	var stored, tagged int
	opts.Progress = func(e content.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch e.Kind {
		case content.EventStored:
			stored++
		case content.EventTagged:
			tagged++
		}
	}
	mustCopy(t, layout.New(dir), dst, opts)
	h.expect(t, place)
	if n := w.Calls.Count("PutImage"); n != 2+1+2 { // images, index, tags
		t.Errorf("%d PutImage", n)
	}
	if stored != 1 || tagged != 2 {
		t.Errorf("%d events stored, %d tagged", stored, tagged)
	}
	opts.Progress = nil

	w.Calls.Reset()
	mustCopy(t, layout.New(dir), dst, opts) // the journal knows it
	h.expect(t, place)
	w.ExpectCalls(map[string]int{"BatchGetImage": 1})

	opts.JournalDir = ""
	mustCopy(t, layout.New(dir), dst, opts)
	h.expect(t, place)
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "BatchGetImage": 1})

	opts.JournalDir = t.TempDir() // an unsigned image there stays an error
	h.do = func(context.Context, content.Target, content.Manifest) error { return errRefused }
	for range 2 {
		if _, err := Copy(t.Context(), layout.New(dir), dst, opts); !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
	}
	h.do, h.calls = nil, nil

	// By digest: one PutImage, then the hook.
	w.Calls.Reset()
	opts.JournalDir, opts.Tags, opts.Reference = "", nil, "image"
	mustCopy(t, layout.New(dir), dst, opts)
	h.expect(t, dst.String()+"@"+string(fixture.DigestOf(t, image)))
	if n := w.Calls.Count("PutImage"); n != 1 {
		t.Errorf("%d PutImage", n)
	}
	opts.Tags = []string{"3"}
	w.Calls.Reset()
	mustCopy(t, layout.New(dir), dst, opts)
	h.expect(t, dst.String()+"@"+string(fixture.DigestOf(t, image)))
	// The plan says so before, and calls no hook.
	planned := Preview(t.Context(), layout.New(dir), []Destination{{Target: w.repository("app"), Tags: []string{"4"}}}, opts)
	fixture.Check(t, planned[0].Err)
	h.expect(t)
	if n := planned[0].Calls["PutImage"]; n != 2 {
		t.Errorf("%d PutImage are planned", n)
	}
	w.Calls.Reset()
	opts.Tags = []string{"4"}
	mustCopy(t, layout.New(dir), dst, opts)
	if n := w.Calls.Count("PutImage"); n != 2 {
		t.Errorf("%d PutImage", n)
	}
}

// One destination whose hook fails does not keep the others from their tags.
func TestBeforeTagsSeveral(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.Create("other", types.ImageTagMutabilityMutable)
	dir, _, index := fixture.Layout(t, 1)
	path := filepath.Join(t.TempDir(), "a.tar")
	archive := archive.NewTarget(path)
	defer archive.Close()
	h := &hook{do: func(_ context.Context, dst content.Target, _ content.Manifest) error {
		if strings.HasSuffix(dst.String(), "/other") {
			return errRefused
		}
		if _, ok := dst.(content.Endpoint); !ok {
			return fmt.Errorf("%w: nothing can be added to it", content.ErrUnsupported)
		}
		return nil
	}}
	app, other := w.repository("app"), w.repository("other")
	copied := CopyAll(t.Context(), layout.New(dir), []Destination{
		{Target: app, Tags: []string{"1"}}, {Target: other, Tags: []string{"1"}}, {Target: archive, Tags: []string{"1"}},
	}, Options{Reference: "index", BeforeTags: h.run})
	for i, want := range []error{nil, errRefused, content.ErrUnsupported} {
		if err := copied[i].Err; !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
	if err := copied[2].Err; err != nil && !strings.Contains(err.Error(), archive.String()) {
		t.Errorf("%v does not name the archive", err)
	}
	if fixture.Absent(t, app, "1") || !fixture.Absent(t, other, "1") {
		t.Error("the tag is where it must not be, or not where it must be")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the archive is there: %v", err)
	}
	var want []string
	for _, dst := range []content.Target{app, other, archive} {
		want = append(want, dst.String()+"@"+string(fixture.DigestOf(t, index)))
	}
	h.expect(t, want...)
}

// Verify is asked once, before anything is written anywhere.
func TestVerifyOption(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dir, _, images := fixture.PlatformIndex(t, "linux/amd64", "linux/arm64")
	multi, err := layout.New(dir).Resolve(t.Context(), "index")
	fixture.Check(t, err)
	place := t.TempDir()
	before := listFiles(t, place)
	docker := docker.NewArchiveTarget(filepath.Join(place, "docker.tar"), "app")
	archive := archive.NewTarget(filepath.Join(place, "oci.tar"))
	t.Cleanup(func() { docker.Close(); archive.Close() })
	for name, o := range map[string]struct {
		opts   Options
		dsts   []Destination
		chosen digest.Digest
	}{
		"all":          {Options{}, []Destination{{Target: w.repository("app"), Tags: []string{"1"}}, {Target: layout.New(filepath.Join(place, "layout"))}, {Target: archive}}, multi.Descriptor.Digest},
		"one platform": {Options{Platforms: fixture.ParsePlatforms(t, "linux/arm64")}, []Destination{{Target: docker}, {Target: w.repository("app")}}, images[1]},
		"not signed":   {Options{BeforeTags: func(context.Context, content.Target, content.Manifest) error { t.Error("called"); return nil }}, []Destination{{Target: w.repository("app")}}, multi.Descriptor.Digest},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			opts := o.opts
			opts.Reference, opts.JournalDir, opts.TempDir = "index", filepath.Join(place, "state"), place
			opts.Verify = func(_ context.Context, resolved, chosen content.Manifest) error {
				asked++
				if resolved.Descriptor.Digest != multi.Descriptor.Digest || chosen.Descriptor.Digest != o.chosen {
					t.Errorf("asked for %s and %s", resolved.Descriptor.Digest, chosen.Descriptor.Digest)
				}
				if len(resolved.Content) == 0 || len(chosen.Content) == 0 {
					t.Error("asked for nothing")
				}
				return errRefused
			}
			w.Calls.Reset()
			for _, c := range CopyAll(t.Context(), layout.New(dir), o.dsts, opts) {
				if !errors.Is(c.Err, errRefused) {
					t.Errorf("got %v", c.Err)
				}
			}
			for _, p := range Preview(t.Context(), layout.New(dir), o.dsts, opts) {
				if !errors.Is(p.Err, errRefused) {
					t.Errorf("the plan: %v", p.Err)
				}
			}
			if asked != 2 {
				t.Errorf("asked %d times", asked)
			}
			w.ExpectCalls(map[string]int{})
			if after := listFiles(t, place); !slices.Equal(before, after) {
				t.Errorf("written: %q", after)
			}
		})
	}
}

// listFiles returns all that is below a directory.
func listFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	fixture.Check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}
