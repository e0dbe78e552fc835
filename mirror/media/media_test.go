package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// repository is a store that lists its tags.
type repository struct {
	*memory.Store
	tags []string
}

func (r *repository) Tags(context.Context) ([]string, error) { return r.tags, nil }

// Referrers finds none.
func (r *repository) Referrers(context.Context, digest.Digest) ([]content.Descriptor, error) {
	return nil, nil
}

// none is that there is no set.
func none() (*Set, error) { return nil, nil }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put stores an image whose layers have these sizes, made of seed.
func (r *repository) put(t testing.TB, tag string, seed uint64, sizes ...int) {
	t.Helper()
	blob := func(mediaType string, data []byte) content.Descriptor {
		d := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		check(t, r.PutBlob(t.Context(), d, bytes.NewReader(data)))
		return d
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: blob(ocispec.MediaTypeImageConfig, []byte("{}"))}
	m.SchemaVersion = 2
	for i, size := range sizes {
		data := make([]byte, size)
		random := rand.NewChaCha8([32]byte{byte(seed), byte(i)})
		_, _ = random.Read(data) // never fails
		m.Layers = append(m.Layers, blob(ocispec.MediaTypeImageLayerGzip, data))
	}
	data, err := json.Marshal(m)
	check(t, err)
	manifest := content.Manifest{Descriptor: content.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, Content: data}
	check(t, r.PutTagged(t.Context(), manifest, tag))
	r.tags = append(r.tags, tag)
}

// world is what an export and an import see.
type world map[string]*repository

func (w world) Source(_ context.Context, name string) (content.Source, error) { return w[name], nil }
func (w world) Target(_ context.Context, name string) (content.Target, error) {
	if w[name] == nil {
		w[name] = &repository{Store: memory.New(name)}
	}
	return w[name], nil
}

// newWorld has two repositories that share a layer.
func newWorld(t *testing.T) (world, mirror.Config) {
	w := world{"a.example/web": {Store: memory.New("web")}, "a.example/db": {Store: memory.New("db")}}
	w["a.example/web"].put(t, "1", 1, 3<<20, 1000)
	w["a.example/web"].put(t, "2", 1, 3<<20, 512)
	w["a.example/db"].put(t, "1", 1, 3<<20)
	return w, mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}, {From: "a.example/db", Name: "team/db"}}}
}

func export(t *testing.T, w world, c mirror.Config, dir string, partSize int64) (Set, error) {
	t.Helper()
	return Export(t.Context(), c, w, dir, ExportOptions{PartSize: partSize})
}

func TestSet(t *testing.T) {
	w, c := newWorld(t)
	whole, cut := t.TempDir(), t.TempDir()
	one, err := export(t, w, c, whole, 0)
	check(t, err)
	several, err := export(t, w, c, cut, 1<<20)
	check(t, err)
	if one.ID != several.ID || len(one.Parts) != 1 || len(several.Parts) != 4 || several.Parts[3].Size >= 1<<20 {
		t.Errorf("parts: %+v and %+v", one.Parts, several.Parts)
	}
	var joined []byte
	for _, p := range several.Parts {
		data, err := os.ReadFile(filepath.Join(cut, p.Name))
		check(t, err)
		joined = append(joined, data...)
	}
	data, err := os.ReadFile(filepath.Join(whole, one.Parts[0].Name))
	check(t, err)
	if !bytes.Equal(joined, data) {
		t.Error("the parts are not the whole")
	}
	// What is shared is in it once.
	if unique := 3<<20 + 1000 + 512 + 2; len(data) > unique*101/100 {
		t.Errorf("%d bytes for %d", len(data), unique)
	}
	// Any reader of layouts finds the images by their whole names.
	a, err := archive.Open(t.Context(), filepath.Join(whole, "images.tar"), "")
	check(t, err)
	defer a.Close()
	if _, err := imagetree.ResolveVerified(t.Context(), a, "a.example/db:1"); err != nil {
		t.Error(err)
	}

	r, err := Open(cut, ReadOptions{})
	check(t, err)
	defer r.Close()
	if got := fmt.Sprint(r.Repositories()); got != "[{a.example/db team/db} {a.example/web web}]" {
		t.Error(got)
	}
	src, err := r.Repository("a.example/web")
	check(t, err)
	dst := memory.New("far")
	_, err = transfer.Copy(t.Context(), src, dst, transfer.Options{Reference: "2", Tags: []string{"2"}, Referrers: false})
	check(t, err)
	want, err := w["a.example/web"].Resolve(t.Context(), "2")
	check(t, err)
	if got, err := dst.Resolve(t.Context(), "2"); err != nil || got.Descriptor.Digest != want.Descriptor.Digest {
		t.Errorf("%v %v", got.Descriptor, err)
	}
	if _, err := r.Repository("a.example/none"); !errors.Is(err, content.ErrNotFound) {
		t.Error(err)
	}
	if _, err := src.Resolve(t.Context(), "3"); !errors.Is(err, content.ErrNotFound) {
		t.Error(err)
	}
}

// flip changes one bit of a part.
func flip(t *testing.T, path string, at int64, bit byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	check(t, err)
	b[0] ^= bit
	_, err = f.WriteAt(b[:], at)
	check(t, err)
}

// flips changes n bits, one after the other: each is found, and the part is named.
func flips(t *testing.T, n int) {
	w, c := newWorld(t)
	dir := t.TempDir()
	s, err := export(t, w, c, dir, 1<<20)
	check(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		p := s.Parts[random.IntN(len(s.Parts))]
		at, bit := random.Int64N(p.Size), byte(1)<<random.IntN(8)
		path := filepath.Join(dir, p.Name)
		flip(t, path, at, bit)
		if _, err := Verify(t.Context(), dir, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) || strings.Count(err.Error(), "part ") != 1 || !strings.Contains(err.Error(), p.Name) {
			t.Errorf("%s at %d: %v", p.Name, at, err)
		}
		flip(t, path, at, bit)
	}
	if _, err := Verify(t.Context(), dir, ReadOptions{}); err != nil {
		t.Error(err)
	}
}

func TestFlips(t *testing.T) { flips(t, 25) }

func TestResume(t *testing.T) {
	w, c := newWorld(t)
	want, err := export(t, w, c, t.TempDir(), 1<<20)
	check(t, err)
	dir := t.TempDir()
	before := w["a.example/web"].Sent() + w["a.example/db"].Sent()
	for name := range w {
		w[name].Cut = func(first, n int64) int64 { return min(n, 2<<20-first) } // the large layer breaks off
	}
	if _, err := export(t, w, c, dir, 1<<20); err == nil {
		t.Fatal("the export has succeeded")
	}
	if _, err := ReadSet(dir); !errors.Is(err, ErrNoSet) {
		t.Errorf("a set that is not complete: %v", err)
	}
	for name := range w {
		w[name].Cut = nil
	}
	got, err := export(t, w, c, dir, 1<<20)
	check(t, err)
	if !slices.Equal(got.Parts, want.Parts) {
		t.Errorf("the parts are %v, not %v", got.Parts, want.Parts)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".ecrkit*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if sent := w["a.example/web"].Sent() + w["a.example/db"].Sent() - before; sent > 7<<20 {
		t.Errorf("%d bytes were read for a set of %d", sent, want.Size)
	}
	// The same again reads no blob.
	before = w["a.example/web"].Sent() + w["a.example/db"].Sent()
	if _, err := export(t, w, c, dir, 1<<20); err != nil || w["a.example/web"].Sent()+w["a.example/db"].Sent() != before {
		t.Errorf("an export of the same images again: %v", err)
	}
}

// TestBadDisk changes a blob after it was written: the set does not become complete, and the next
// export writes it again.
func TestBadDisk(t *testing.T) {
	w, c := newWorld(t)
	dir := t.TempDir()
	opts := ExportOptions{}
	selected, err := mirror.Select(t.Context(), c, w, opts.Options)
	check(t, err)
	sources, err := openSources(t.Context(), selected, w, nil, "")
	check(t, err)
	all, err := collect(t.Context(), selected, sources, &badImages{}, opts)
	check(t, err)
	p, err := all.plan()
	check(t, err)
	out, err := openWriter(t.Context(), inDirectory(dir, p, 0), p, 0, none)
	check(t, err)
	for i, s := range selected {
		for _, image := range s.Images {
			_, err := transfer.Copy(t.Context(), sources[i].Source, out, sources[i].options(opts, s, image))
			check(t, err)
		}
	}
	last := p.members[len(p.members)-1]
	_, err = out.parts.WriteAt([]byte("wrong"), last.first())
	check(t, err)
	if _, err := out.seal(t.Context()); !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), string(last.digest)) {
		t.Errorf("seal: %v", err)
	}
	check(t, out.Close())
	if _, err := export(t, w, c, dir, 0); err != nil {
		t.Error(err)
	}
	if _, err := Verify(t.Context(), dir, ReadOptions{}); err != nil {
		t.Error(err)
	}
}

func TestInventory(t *testing.T) {
	w, c := newWorld(t)
	first := t.TempDir()
	_, err := export(t, w, c, first, 0)
	check(t, err)
	// The far side has the first set; then one more image appears.
	far := world{}
	importSet := func(dir string) error {
		r, err := Open(dir, ReadOptions{})
		check(t, err)
		defer r.Close()
		if err := r.CheckNeeds(t.Context(), func(ctx context.Context, name string) (content.Target, error) { return far.Target(ctx, name) }); err != nil {
			return err
		}
		r.UseDestination("", far.Source)
		for _, image := range r.Images {
			src, err := r.Repository(image.Repository)
			check(t, err)
			dst, err := far.Target(t.Context(), image.Name)
			check(t, err)
			_, err = transfer.Copy(t.Context(), src, dst, transfer.Options{Reference: string(image.Digest), Tags: image.Tags})
			check(t, err)
			far[image.Name].tags = append(far[image.Name].tags, image.Tags...)
		}
		return nil
	}
	check(t, importSet(first))
	taken, err := TakeInventory(t.Context(), mirror.Config{Images: []mirror.ImageRules{{From: "far/web", Name: "web"}, {From: "far/team/db", Name: "team/db"}}},
		renamed{far}, mirror.Options{})
	check(t, err)
	var text bytes.Buffer
	check(t, taken.Write(&text))
	again, err := inventory.Read(&text)
	check(t, err)
	w["a.example/web"].put(t, "3", 1, 3<<20, 700)
	second := t.TempDir()
	s, err := Export(t.Context(), c, w, second, ExportOptions{Have: []inventory.Inventory{again}})
	check(t, err)
	if s.Size > 64<<10 || len(s.Needs) == 0 {
		t.Errorf("%d bytes and %d needs for a new layer of 700 bytes", s.Size, len(s.Needs))
	}
	if _, err := Verify(t.Context(), second, ReadOptions{}); err != nil {
		t.Error(err)
	}
	check(t, importSet(second))
	if m, err := far["web"].Resolve(t.Context(), "3"); err != nil || m.Descriptor.Size == 0 {
		t.Error(err)
	}
	// Where the first set was not imported, nothing is written.
	far = world{}
	if err := importSet(second); !errors.Is(err, ErrRequiredBlobs) || !errors.Is(err, content.ErrConflict) {
		t.Errorf("a set without its base: %v", err)
	}
	if _, err := far["web"].Resolve(t.Context(), "3"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("something was written: %v", err)
	}
}

// renamed opens far/NAME as NAME.
type renamed struct{ world }

func (r renamed) Source(ctx context.Context, name string) (content.Source, error) {
	return r.world.Source(ctx, strings.TrimPrefix(name, "far/"))
}

func TestInventoryErrors(t *testing.T) {
	for _, text := range []string{"", "{}", `{"version":1}`, `{"version":2,"repositories":{}}`, `{"version":1,"repositories":{"A":[]}}`, `{"version":1,"repositories":{"a":["x"]}}`, `{"version":1,"version":1}`} {
		if _, err := inventory.Read(strings.NewReader(text)); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestHostileSets(t *testing.T) {
	w, c := newWorld(t)
	dir := t.TempDir()
	good, err := export(t, w, c, dir, 0)
	check(t, err)
	for name, change := range map[string]func(s *Set){
		"another file":      func(s *Set) { s.Parts[0].Name = "../images.tar" },
		"no part":           func(s *Set) { s.Parts = nil },
		"an empty part":     func(s *Set) { s.Parts[0].Size = 0 },
		"more than all":     func(s *Set) { s.Parts[0].Size = 1 << 62 },
		"a digest":          func(s *Set) { s.Parts[0].Digest = "sha256:12" },
		"a repository":      func(s *Set) { s.Images[0].Repository = "a.example/../x" },
		"a name":            func(s *Set) { s.Images[0].Name = "/x" },
		"a tag":             func(s *Set) { s.Images[0].Tags = []string{"a b"} },
		"an image's digest": func(s *Set) { s.Images[0].Digest = "x" },
		"a subject":         func(s *Set) { s.Images[0].Subject = "x" },
		"a need":            func(s *Set) { s.Needs = []RequiredBlob{{Name: "../a", Digest: good.ID, Size: 1}} },
		"a base":            func(s *Set) { s.Needs = []RequiredBlob{{Name: "a", Digest: good.ID, Size: 1, Set: "x"}} },
		"a lender":          func(s *Set) { s.Needs = []RequiredBlob{{Name: "a", Digest: good.ID, Size: 1, From: "../b"}} },
		"another version":   func(s *Set) { s.Version = 3 },
		"a later version":   func(s *Set) { s.Version = withoutManifests },
		"a manifest": func(s *Set) {
			s.Needs, s.Version = []RequiredBlob{{Name: "a", Digest: s.Images[0].Digest, Size: 1, Manifest: true}}, withoutManifests
		},
		"an image's size": func(s *Set) { s.Images[0].ContentSize = 1 },
		"a negative size": func(s *Set) { s.Images[0].ContentSize = -1 },
	} {
		s := good
		s.Parts, s.Images = slices.Clone(good.Parts), slices.Clone(good.Images)
		change(&s)
		data, err := json.Marshal(s)
		check(t, err)
		if _, err := decodeSet(data, false); !errors.Is(err, content.ErrIntegrity) && !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := json.Marshal(good)
	check(t, err)
	if _, err := decodeSet(data, false); err != nil {
		t.Error(err)
	}
}

// FuzzDecodeSet looks for a description that is accepted and names a file elsewhere.
func FuzzDecodeSet(f *testing.F) {
	f.Add([]byte(`{"version":1,"size":3,"parts":[{"name":"images.tar","size":3,"digest":"sha256:` + strings.Repeat("0", 64) + `"}],"images":[]}`))
	zero := "sha256:" + strings.Repeat("0", 64)
	f.Add(fmt.Appendf(nil, `{"version":1,"size":1024,"parts":[{"name":"images.tar","size":1024,"digest":%q}],"images":[],"parity":{"dataShards":2,"parityShards":1,"shardSize":512,"blockSize":512,"sums":%q,"parts":[{"name":"parity.001","size":512,"digest":%q}]}}`, zero, zero, zero))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeSet(data, false)
		if err != nil {
			return
		}
		if p := s.Parity; p != nil && (p.code().SumsSize() <= 0 || p.code().Size() <= 0 || p.DataShards+p.ParityShards > 256) {
			t.Errorf("%+v", p)
		}
		for _, p := range s.Files() {
			if !strings.HasPrefix(p.Name, tarFile) && !strings.HasPrefix(p.Name, "parity.") || strings.ContainsAny(p.Name, `/\`) {
				t.Errorf("%q", p.Name)
			}
		}
	})
}
