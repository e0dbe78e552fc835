package layout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

func TestLayoutResolve(t *testing.T) {
	dir, image, index := fixture.Layout(t, 1)
	one := filepath.Join(t.TempDir(), "one")
	mustCopy(t, New(dir), New(one), transfer.Options{Reference: "image"})
	empty := filepath.Join(t.TempDir(), "empty")
	fixture.Check(t, New(empty).create(t.Context()))
	tests := []struct {
		dir, reference string
		want           digest.Digest
		err            error
		text           string
	}{
		{dir, "image", fixture.DigestOf(t, image), nil, ""},
		{dir, "index", fixture.DigestOf(t, index), nil, ""},
		{dir, string(fixture.DigestOf(t, image)), fixture.DigestOf(t, image), nil, ""},
		{one, "", fixture.DigestOf(t, image), nil, ""},
		{dir, "", "", nil, "has 2 images; say which one (tags: image, index)"},
		{dir, "other", "", content.ErrNotFound, "tags: image, index"},
		{dir, someSHA, "", content.ErrNotFound, "has no image " + someSHA},
		{one, "other", "", content.ErrNotFound, "none has a tag"},
		{empty, "", "", content.ErrNotFound, "has no image"},
		{t.TempDir(), "", "", os.ErrNotExist, "no OCI image layout"},
	}
	for _, tt := range tests {
		t.Run(tt.reference, func(t *testing.T) {
			m, err := New(tt.dir).Resolve(t.Context(), tt.reference)
			if tt.want != "" {
				fixture.Check(t, err)
				if m.Descriptor.Digest != tt.want {
					t.Errorf("got %s, want %s", m.Descriptor.Digest, tt.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.text) || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %v; want %q, %v", err, tt.text, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.dir) {
				t.Errorf("error does not name the layout: %v", err)
			}
		})
	}
}

// TestLayoutTags pins what happens to the entries of index.json.
func TestLayoutTags(t *testing.T) {
	const a, b = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	type step struct{ digest, tag string }
	tests := []struct {
		name  string
		steps []step
		want  string
	}{
		{"new tag", []step{{a, "1"}}, "a=1"},
		{"two tags of one image", []step{{a, "1"}, {a, "2"}}, "a=1 a=2"},
		{"same tag twice", []step{{a, "1"}, {a, "1"}}, "a=1"},
		{"moved tag", []step{{a, "1"}, {b, "1"}}, "b=1"},
		{"no tag", []step{{a, ""}}, "a="},
		{"no tag twice", []step{{a, ""}, {a, ""}}, "a="},
		{"two without a tag", []step{{a, ""}, {b, ""}}, "a= b="},
		{"tagged later", []step{{a, ""}, {a, "1"}}, "a=1"},
		{"tagged before", []step{{a, "1"}, {a, ""}}, "a=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			index := []byte(`{"schemaVersion":2,"annotations":{"keep":"me"}}`)
			for _, s := range tt.steps {
				var err error
				index, err = AddToIndex(index, content.TaggedManifest{Manifest: content.Manifest{Descriptor: content.Descriptor{MediaType: "x/y", Digest: digest.Digest(s.digest), Size: 1}}, Tag: s.tag})
				fixture.Check(t, err)
			}
			entries, err := DecodeIndex(index)
			fixture.Check(t, err)
			var got []string
			for _, d := range entries {
				got = append(got, d.Digest.Encoded()[:1]+"="+d.Annotations["org.opencontainers.image.ref.name"])
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
			if !strings.Contains(string(index), `"annotations":{"keep":"me"}`) {
				t.Errorf("what was there is lost: %s", index)
			}
		})
	}
}

func TestLayoutRefusesDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	fixture.WriteTestFile(t, filepath.Join(dir, "thesis.txt"), "mine")
	src, _, _ := fixture.Layout(t, 1)
	_, err := transfer.Copy(t.Context(), New(src), New(dir), transfer.Options{Reference: "image", Tags: []string{"x"}})
	if err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("it wrote: %v", entries)
	}
}

// TestLayoutCompletesCreation covers a process that died while it made a layout.
func TestLayoutCompletesCreation(t *testing.T) {
	src, _, _ := fixture.Layout(t, 1)
	dir := t.TempDir()
	fixture.WriteTestFile(t, filepath.Join(dir, "blobs", "sha256", "x"), "")
	fixture.WriteTestFile(t, filepath.Join(dir, "index.json"), `{"schemaVersion":2,"manifests":[]}`)
	fixture.WriteTestFile(t, filepath.Join(dir, partial.Prefix+"x"), "")
	mustCopy(t, New(src), New(dir), transfer.Options{Reference: "image"})
}

func TestLayoutReplacesDamagedBlob(t *testing.T) {
	src, image, _ := fixture.Layout(t, 2)
	dst := filepath.Join(t.TempDir(), "dst")
	opts := transfer.Options{Reference: "image", Tags: []string{"x"}}
	mustCopy(t, New(src), New(dst), opts)
	layers, err := image.Layers()
	fixture.Check(t, err)
	file := fixture.BlobFile(dst, fixture.DigestOf(t, layers[0]))
	data, err := os.ReadFile(file)
	fixture.Check(t, err)
	data[len(data)/2] ^= 1
	fixture.Check(t, os.WriteFile(file, data, 0o666))
	result := mustCopy(t, New(src), New(dst), opts)
	if result.BlobsSent != 1 || result.BlobsSkipped != 2 {
		t.Errorf("result %+v", result)
	}
	fixture.ValidateLayout(t, dst)
}

// TestLayoutConcurrentWriters has many copies make and fill one layout: no tag
// may be lost.
func TestLayoutConcurrentWriters(t *testing.T) {
	src, _, _ := fixture.Layout(t, 2)
	dst := filepath.Join(t.TempDir(), "dst")
	const writers = 16
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			reference := []string{"image", "index"}[i%2]
			if _, err := transfer.Copy(t.Context(), New(src), New(dst), transfer.Options{Reference: reference, Tags: []string{fmt.Sprint(i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range writers {
		if _, err := New(dst).Resolve(t.Context(), fmt.Sprint(i)); err != nil {
			t.Error(err)
		}
	}
	fixture.ValidateLayout(t, dst)
}

func FuzzDecodeLayoutIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"`+someSHA+`","size":1,"annotations":{"org.opencontainers.image.ref.name":"x"}}]}`), "x")
	f.Add([]byte(`{"manifests":[{"digest":"x"},null,1]}`), "")
	f.Add([]byte(`null`), "x")
	f.Fuzz(func(t *testing.T, data []byte, tag string) {
		if index, err := DecodeIndex(data); err == nil {
			if d, err := pick(index, tag); err == nil {
				BlobPath(d.Digest)
			}
		}
		_, _ = AddToIndex(data, content.TaggedManifest{Manifest: content.Manifest{Descriptor: content.Descriptor{Digest: someSHA}}, Tag: tag})
	})
}
