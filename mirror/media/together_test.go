package media

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
)

// TestExportsTogether has several exports write the same set to one place at once: one writes it, the others wait for it.
func TestExportsTogether(t *testing.T) {
	t.Parallel()
	source := func() world {
		w := world{"a.example/web": {Store: memory.New("web")}}
		w["a.example/web"].put(t, "1", 1, 300_000, 1000)
		w["a.example/web"].put(t, "2", 2, 512)
		return w
	}
	fetched := func(w world) int64 { return w["a.example/web"].Sent() }
	c := mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}
	for name, export := range map[string]func(w mirror.Opener, to string) (Set, error){
		"set": func(w mirror.Opener, to string) (Set, error) { return Export(t.Context(), c, w, to, ExportOptions{}) },
		"set.tar": func(w mirror.Opener, to string) (Set, error) {
			return ExportFile(t.Context(), c, w, to, ExportOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone, together := source(), source()
			first, at := filepath.Join(t.TempDir(), name), filepath.Join(t.TempDir(), name)
			want, err := export(alone, first)
			check(t, err)
			var group errgroup.Group
			for range 6 {
				group.Go(func() error {
					got, err := export(together, at)
					if err == nil && (got.ID != want.ID || len(got.Parts) != 1 || got.Parts[0].Digest != want.Parts[0].Digest) {
						t.Errorf("set %+v, want %+v", got, want)
					}
					return err
				})
			}
			check(t, group.Wait())
			if one, n := fetched(alone), fetched(together); n != one || n == 0 {
				t.Errorf("%d bytes of blobs read by six exports, and %d by one", n, one)
			}
			check(t, filepath.Walk(first, func(path string, info os.FileInfo, err error) error {
				if err != nil || info.IsDir() {
					return err
				}
				rest, _ := filepath.Rel(first, path)
				a, err := os.ReadFile(path)
				check(t, err)
				b, err := os.ReadFile(filepath.Join(at, rest))
				check(t, err)
				if !bytes.Equal(a, b) {
					t.Errorf("%s differs", rest)
				}
				return nil
			}))
		})
	}
}

// TestSharedBlobs has repositories that are exported at the same time share a blob: it is read once.
func TestSharedBlobs(t *testing.T) {
	t.Parallel()
	const shared, count = 300_000, 4
	w, c := world{}, mirror.Config{}
	var others sync.WaitGroup // images whose own layer is being read
	others.Add(count)
	for i := range count {
		name := fmt.Sprintf("a.example/app%d", i)
		w[name] = &repository{Store: memory.New(name)}
		w[name].put(t, "1", 1, shared, 1000+i)
		w[name].Cut = func(_, n int64) int64 {
			switch n {
			case shared:
				others.Wait()
			case int64(1000 + i):
				others.Done()
			}
			return n
		}
		c.Images = append(c.Images, mirror.ImageRules{From: name})
	}
	_, err := Export(t.Context(), c, w, filepath.Join(t.TempDir(), "set"), ExportOptions{})
	check(t, err)
	total := int64(0)
	for _, r := range w {
		total += r.Sent()
	}
	if want := int64(shared + len("{}") + count*1000 + 0 + 1 + 2 + 3); total != want {
		t.Errorf("%d bytes of blobs were read, want %d", total, want)
	}
}

// TestResumeOfAnotherPlan exports where a killed export of other images, and one that was killed before it noted anything, have left a
// part: the set has the same bytes as in an empty directory.
func TestResumeOfAnotherPlan(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	fresh := t.TempDir()
	want, err := export(t, w, c, fresh, 0)
	check(t, err)
	for name, title := range map[string]string{"other": journalTitle("sha256:other", 0) + "\ndone sha256:x\n", "same": journalTitle(want.ID, 0) + "\n"} {
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, tarFile+partialSuffix), bytes.Repeat([]byte{0xff}, int(want.Size)+100), 0o600))
		for _, left := range []string{"images.tar.001.partial", "images.tar.1000.partial", "images.tar.old.partial", "notes.partial"} {
			check(t, os.WriteFile(filepath.Join(dir, left), nil, 0o600))
		}
		check(t, os.WriteFile(filepath.Join(dir, journalFile), []byte(title), 0o600))
		got, err := export(t, w, c, dir, 0)
		check(t, err)
		if got.Parts[0] != want.Parts[0] {
			t.Errorf("%s: the part is %v, want %v", name, got.Parts[0], want.Parts[0])
		}
		if _, err := Verify(t.Context(), dir, ReadOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.partial")); len(left) != 2 {
			t.Errorf("%s: %v are left, want the files that are not ours", name, left)
		}
	}
}
