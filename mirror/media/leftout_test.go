package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// leftOutGap is a far side with a first set, and a second set with one more image, by the receipt of the first.
func leftOutGap(t *testing.T) (near, far world, first, second string, s Set) {
	t.Helper()
	near, c := newWorld(t)
	far, first, second = world{}, t.TempDir(), t.TempDir()
	_, err := export(t, near, c, first, 0)
	check(t, err)
	have, err := importAll(t, first, far)
	check(t, err)
	near["a.example/web"].put(t, "3", 1, 3<<20, 700)
	s, err = Export(t.Context(), c, near, second, ExportOptions{Have: []inventory.Inventory{have}})
	check(t, err)
	return near, far, first, second, s
}

// digestOf returns what a tag names.
func digestOf(t *testing.T, r *repository, tag string) digest.Digest {
	t.Helper()
	m, err := r.Resolve(t.Context(), tag)
	check(t, err)
	return m.Descriptor.Digest
}

// without returns a store without a manifest.
func (r *repository) without(t *testing.T, d digest.Digest, blobs []content.Descriptor) *repository {
	t.Helper()
	left := &repository{Store: memory.New("far")}
	for _, blob := range blobs {
		if in, err := r.Blob(t.Context(), blob); err == nil {
			check(t, left.PutBlob(t.Context(), blob, in))
			check(t, in.Close())
		}
	}
	for _, tag := range []string{"1", "2", "3"} {
		if m, err := r.Resolve(t.Context(), tag); err == nil && m.Descriptor.Digest != d {
			check(t, left.PutTagged(t.Context(), m, tag))
		}
	}
	return left
}

// TestLeftOut makes a set without the manifests of images that the destination has.
func TestLeftOut(t *testing.T) {
	near, far, first, second, s := leftOutGap(t)
	fresh := digestOf(t, near["a.example/web"], "3")
	var carried []digest.Digest
	for _, image := range s.Images {
		if !image.leftOut() {
			carried = append(carried, image.Digest)
		}
	}
	if s.Version != withoutManifests || s.Blobs != 2 || len(s.Images) != 4 || !slices.Equal(carried, []digest.Digest{fresh}) {
		t.Errorf("version %d, %d blobs, %d images, of which %v are in the set", s.Version, s.Blobs, len(s.Images), carried)
	}
	if _, err := Verify(t.Context(), second, ReadOptions{}); err != nil {
		t.Error(err)
	}
	read, err := ReadSet(second)
	check(t, err)
	if flat, err := json.Marshal(read); err != nil || !slices.Equal(read.Needs, s.Needs) {
		t.Errorf("needs are read as %v, %v", read.Needs, err)
	} else if again, err := decodeSet(flat, false); err != nil || !slices.Equal(again.Needs, s.Needs) {
		t.Errorf("and from their long form as %v, %v", again.Needs, err)
	}
	for _, image := range s.Images { // the size of an image is that which the set with all of it shows
		whole, err := Open(first, ReadOptions{})
		check(t, err)
		if contents, err := whole.Contents(t.Context(), image); err == nil {
			if want := content.TotalSize(contents.Blobs) + image.Size; image.ContentSize != want {
				t.Errorf("%s has %d bytes, not %d", image.Digest, image.ContentSize, want)
			}
		}
		check(t, whole.Close())
	}
	// Another tool finds what is there, and nothing else.
	a, err := archive.Open(t.Context(), filepath.Join(second, tarFile), "")
	check(t, err)
	defer a.Close()
	if _, err := imagetree.ResolveVerified(t.Context(), a, "a.example/web:3"); err != nil {
		t.Error(err)
	}
	if _, err := a.Resolve(t.Context(), "a.example/web:1"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("an image that was left out: %v", err)
	}
	// A tag that was moved or removed there comes back.
	moved, err := far["web"].Resolve(t.Context(), "1")
	check(t, err)
	check(t, far["web"].PutTagged(t.Context(), moved, "2"))
	receipt, err := importAll(t, second, far)
	check(t, err)
	for _, tag := range []string{"1", "2", "3"} {
		if got, want := digestOf(t, far["web"], tag), digestOf(t, near["a.example/web"], tag); got != want {
			t.Errorf("web:%s is %s, not %s", tag, got, want)
		}
	}
	if n := len(receipt.Manifests["web"]); n != 3 || len(receipt.Manifests["team/db"]) != 1 || len(receipt.Repositories["web"]) != 5 {
		t.Errorf("receipt: %v and %v", receipt.Manifests, receipt.Repositories)
	}
	// With the receipt, nothing is new.
	third := t.TempDir()
	_, c := newWorld(t)
	s, err = Export(t.Context(), c, near, third, ExportOptions{Have: []inventory.Inventory{receipt}})
	check(t, err)
	if s.Blobs != 0 || len(s.Images) != 4 {
		t.Errorf("nothing is new: %d blobs, %d images", s.Blobs, len(s.Images))
	}
	_, err = importAll(t, third, far)
	check(t, err)
}

// TestLeftOutIdentity does not take a set for another one that leaves out other images.
func TestLeftOutIdentity(t *testing.T) {
	near, far, first, second, s := leftOutGap(t)
	_, c := newWorld(t)
	r, err := Open(first, ReadOptions{})
	check(t, err)
	have, err := r.Receipt(t.Context())
	check(t, errors.Join(err, r.Close()))
	check(t, near["a.example/web"].PutTagged(t.Context(), func() content.Manifest {
		m, err := near["a.example/web"].Resolve(t.Context(), "1")
		check(t, err)
		return m
	}(), "2"))
	if other, err := Export(t.Context(), c, near, second, ExportOptions{Have: []inventory.Inventory{have}}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("a set in which another tag was left out: %s and %s, %v", s.ID, other.ID, err)
	}
	// What set.json says of them is part of the identity, too.
	text, err := os.ReadFile(filepath.Join(second, SetFile))
	check(t, err)
	changed, err := decodeSet(text, false)
	check(t, err)
	for i, image := range changed.Images {
		if image.Name == "web" && slices.Contains(image.Tags, "2") {
			changed.Images[i].Tags = []string{"4"}
		}
	}
	check(t, changed.write(second, nil))
	if _, err := Open(second, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("a description with another tag: %v", err)
	}
	_ = far
}

// TestLeftOutLost refuses a set before anything is written if the destination has lost a manifest, and takes it from another repository
// that the inventory names.
func TestLeftOutLost(t *testing.T) {
	near, far, first, second, s := leftOutGap(t)
	lost := digestOf(t, near["a.example/web"], "2")
	var blobs []content.Descriptor
	for _, n := range s.Needs {
		if !n.Manifest {
			blobs = append(blobs, n.descriptor())
		}
	}
	far["web"] = far["web"].without(t, lost, blobs)
	_, err := importAll(t, second, far)
	if r, failed := ReadSet(first); failed != nil || !errors.Is(err, ErrRequiredBlobs) || !strings.Contains(err.Error(), string(lost)) || !strings.Contains(err.Error(), string(r.ID)) {
		t.Errorf("a manifest was lost: %v", err)
	}
	if _, err := far["web"].Resolve(t.Context(), "3"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("something of a refused set was written: %v", err)
	}
	_, err = importAll(t, first, far)
	check(t, err)
	_, err = importAll(t, second, far)
	check(t, err)
	// Another repository wants the image: its manifest and blobs are there.
	near["a.example/api"] = &repository{Store: memory.New("api")}
	near["a.example/api"].put(t, "1", 1, 3<<20)
	_, c := newWorld(t)
	c.Images = append(c.Images, c.Images[0])
	c.Images[2].From = "a.example/api"
	have := receipt(t, first)
	third := t.TempDir()
	s, err = Export(t.Context(), c, near, third, ExportOptions{Have: []inventory.Inventory{have}})
	check(t, err)
	image := digestOf(t, near["a.example/api"], "1")
	i := slices.IndexFunc(s.Needs, func(n RequiredBlob) bool { return n.Manifest && n.Digest == image && n.Name == "api" })
	if i < 0 || s.Needs[i].From != "team/db" {
		t.Fatalf("no need for %s in another repository: %v", image, s.Needs)
	}
	if len(s.Borrowed()["team/db"]) != 2 {
		t.Errorf("manifests are not to be mounted: %v", s.Borrowed())
	}
	r, err := Open(third, ReadOptions{})
	check(t, err)
	defer r.Close()
	check(t, r.CheckNeeds(t.Context(), far.Target))
	r.UseDestination("", far.Source)
	src, err := r.Repository("a.example/api")
	check(t, err)
	if m, err := imagetree.ResolveVerified(t.Context(), src, "1"); err != nil || m.Descriptor.Digest != image {
		t.Errorf("%s is not read in another repository: %v", image, err)
	}
	far["team/db"] = &repository{Store: memory.New("db")}
	if err := r.CheckNeeds(t.Context(), far.Target); !errors.Is(err, ErrRequiredBlobs) {
		t.Errorf("the other repository has lost it: %v", err)
	}
}

// TestLeftOutParts carries manifests that another image of the set needs, or that the ecrkit there could not do without.
func TestLeftOutParts(t *testing.T) {
	near, _, first, _, _ := leftOutGap(t)
	_, c := newWorld(t)
	have := receipt(t, first)
	old := have
	old.Manifests = nil
	s, err := Export(t.Context(), c, near, t.TempDir(), ExportOptions{Have: []inventory.Inventory{old}})
	check(t, err)
	if s.Version != withManifests || s.Blobs != 5 {
		t.Errorf("for an older ecrkit: version %d, %d blobs", s.Version, s.Blobs)
	}
	s, err = Export(t.Context(), c, near, t.TempDir(), ExportOptions{Have: []inventory.Inventory{have, old}})
	check(t, err)
	if s.Version != withManifests {
		t.Errorf("for an older and a newer one: version %d", s.Version)
	}
	// A manifest that only one of two repositories can reach is carried, and then neither does without.
	near["a.example/api"] = &repository{Store: memory.New("api")}
	near["a.example/api"].put(t, "1", 1, 3<<20)
	c.Images = append(c.Images, c.Images[0])
	c.Images[2].From = "a.example/api"
	alone := have
	alone.Borrows = false
	dir := t.TempDir()
	s, err = Export(t.Context(), c, near, dir, ExportOptions{Have: []inventory.Inventory{alone}})
	check(t, err)
	image := digestOf(t, near["a.example/api"], "1")
	for _, i := range s.Images {
		if i.Digest == image && i.leftOut() {
			t.Errorf("%s was left out for %s, and carried for api", image, i.Name)
		}
	}
	if slices.ContainsFunc(s.Needs, func(n RequiredBlob) bool { return n.Manifest && n.Digest == image }) {
		t.Error("a manifest in the set is needed")
	}
	if _, err := Verify(t.Context(), dir, ReadOptions{}); err != nil {
		t.Error(err)
	}
	if got := receipt(t, dir); !slices.Contains(got.Manifests["team/db"], image) || !slices.Contains(got.Manifests["api"], image) {
		t.Errorf("receipt: %v", got.Manifests)
	}
}

// TestLeftOutStream reads a set without manifests from a stream.
func TestLeftOutStream(t *testing.T) {
	near, far, first, second, s := leftOutGap(t)
	_, c := newWorld(t)
	data := streamed(t, near, ExportOptions{Have: []inventory.Inventory{receipt(t, first)}})
	r, err := OpenStream(t.Context(), bytes.NewReader(data), "stdin", t.TempDir(), ReadOptions{})
	check(t, err)
	defer r.Close()
	if r.ID != s.ID || r.Head != 2 {
		t.Errorf("%s with a head of %d; in a directory %s", r.ID, r.Head, s.ID)
	}
	r.UseDestination("", far.Source)
	target, err := far.Target(t.Context(), "web")
	check(t, err)
	check(t, r.Store(t.Context(), []Placement{{"a.example/web", digestOf(t, near["a.example/web"], "1"), target}, {"a.example/web", digestOf(t, near["a.example/web"], "3"), target}}, transfer.Options{}))
	if _, err := VerifyStream(t.Context(), bytes.NewReader(data), ReadOptions{}); err != nil {
		t.Error(err)
	}
	// An export to the same place finds it.
	again, err := Export(t.Context(), c, near, second, ExportOptions{Have: []inventory.Inventory{receipt(t, first)}})
	if err != nil || again.ID != s.ID {
		t.Errorf("%s, %v", again.ID, err)
	}
}

// TestInventoryOfManifests lists manifests in the same form as blobs, and refuses what is none.
func TestInventoryOfManifests(t *testing.T) {
	_, far, first, _, _ := leftOutGap(t)
	v := receipt(t, first)
	if got := slices.Sorted(maps.Keys(v.Manifests)); !slices.Equal(got, []string{"team/db", "web"}) || len(v.Manifests["web"]) != 2 || far == nil {
		t.Error(v.Manifests)
	}
	for _, text := range []string{`{"version":1,"repositories":{},"manifests":{"A":[]}}`, `{"version":1,"repositories":{},"manifests":{"a":["x"]}}`} {
		if _, err := inventory.Read(strings.NewReader(text)); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s: %v", text, err)
		}
	}
	merged := inventory.Inventory{}
	merged.Merge(inventory.Inventory{})
	if merged.Manifests != nil {
		t.Error("an older ecrkit is said to import sets without manifests")
	}
	merged.Merge(v)
	merged.Merge(v)
	if len(merged.Manifests["web"]) != 2 {
		t.Error(merged.Manifests)
	}
}
