package index

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
)

// memory is an [content.Endpoint] with one index and whatever manifests it names: each of
// them is image.
type memory struct {
	index content.Manifest
	image content.Manifest
	put   content.Manifest
}

const memoryConfig = `{"os":"linux","architecture":"arm64","variant":"v8"}`

func newMemory(index []byte) *memory {
	image := []byte(`{"schemaVersion":2,"config":{"mediaType":"` + ocispec.MediaTypeImageConfig + `","digest":"` +
		string(digest.FromString(memoryConfig)) + `","size":` + jsonSize([]byte(memoryConfig)) + `},"layers":[]}`)
	return &memory{index: content.NewManifest(index, ""), image: content.NewManifest(image, ocispec.MediaTypeImageManifest)}
}

func (*memory) String() string { return "memory" }

func (m *memory) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	if reference == "image" {
		return m.image, nil
	}
	return m.index, nil
}

func (m *memory) Manifests(_ context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	manifests := make([]content.Manifest, len(descriptors))
	for i := range descriptors {
		manifests[i] = m.image
	}
	return manifests, nil
}

func (*memory) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader([]byte(memoryConfig))), nil
}

func (*memory) MissingBlobs(context.Context, []content.Descriptor) ([]content.Descriptor, error) {
	return nil, nil
}

func (*memory) PutBlob(context.Context, content.Descriptor, io.Reader) error { return nil }

func (*memory) PutManifest(context.Context, content.Manifest) error { return nil }

func (m *memory) PutTagged(_ context.Context, put content.Manifest, _ string) error {
	m.put = put
	return nil
}

// FuzzIndex edits an index that a registry sends: entries that are not meant stay
// byte for byte, what comes out is an index, and nothing panics.
func FuzzIndex(f *testing.F) {
	image := string(newMemory(nil).image.Descriptor.Digest)
	size := jsonSize(newMemory(nil).image.Content)
	entry := `{"mediaType":"` + ocispec.MediaTypeImageManifest + `","digest":"` + image + `","size":` + size
	other := `{"mediaType":"` + content.MediaTypeDockerManifest + `","digest":"` + someSHA + `","size":1`
	f.Add([]byte(`{"manifests":[`+entry+`}]}`), "linux/arm64", "k", "v")
	f.Add([]byte(`{"schemaVersion":2, "manifests" : [ `+other+`, "platform":{"os":"linux","architecture":"amd64"}, "x":[1]} , `+entry+`} ], "annotations":{"k":"\u003c"} }`), "linux/amd64", "k", "")
	f.Add([]byte(`{"mediaType":"`+content.MediaTypeDockerList+`","manifests":[`+other+`,"annotations":{"`+imagetree.AnnotationAttests+`":"`+someSHA+`"}}]}`), someSHA, "", "")
	f.Add([]byte(`{"manifests":[{"mediaType":"`+ocispec.MediaTypeImageIndex+`","digest":"`+someSHA+`","size":1,"platform":null}]}`), someSHA, "a", "b")
	f.Fuzz(func(t *testing.T, data []byte, which, key, value string) {
		ctx := t.Context()
		m := newMemory(data)
		name, err := ParseEntryName(which)
		if err != nil {
			return
		}
		open := func() *Index {
			x, err := Open(ctx, m, "")
			if err != nil {
				return nil
			}
			return x
		}
		x := open()
		if x == nil {
			return
		}
		before := x.doc.Entries()
		if unchanged, _ := x.Manifest(); !bytes.Equal(unchanged.Content, data) {
			t.Fatalf("unchanged, got %q", unchanged.Content)
		}
		meant := map[int]bool{}
		if places, err := x.find(ctx, name); err == nil {
			for _, i := range places {
				meant[i] = true
			}
		}
		for _, edit := range []func(x *Index) error{
			func(x *Index) error { return x.Annotate(map[string]string{key: value}, []string{value}) },
			func(x *Index) error { return x.AnnotateEntry(ctx, name, map[string]string{key: value}, nil) },
			func(x *Index) error {
				return x.SetPlatform(ctx, name, content.Platform{OS: "linux", Architecture: key})
			},
		} {
			if x = open(); edit(x) != nil {
				continue
			}
			for i, raw := range checkIndex(t, x) {
				if !meant[i] && !bytes.Equal(raw, before[i]) {
					t.Fatalf("entry %d is %q, was %q", i, raw, before[i])
				}
			}
		}
		if x = open(); x.Remove(ctx, []EntryName{name}) == nil {
			checkKept(t, checkIndex(t, x), before)
		}
		if x = open(); x.Add(ctx, references(nil, "image")) == nil {
			after := checkIndex(t, x)
			var added int
			for _, raw := range after {
				if bytes.Contains(raw, []byte(image)) {
					added++
				}
			}
			if added == 0 {
				t.Fatalf("the image is not in %q", x.doc.Bytes())
			}
		}
		if _, err := transfer.ReadManifest(ctx, m, "", &name.Platform); err == nil && name.Digest != "" {
			t.Fatal("no platform was selected")
		}
		if y, err := New(ctx, m, references(nil, "", "image"), Options{Force: true}); err == nil {
			checkIndex(t, y)
		}
	})
}

func jsonSize(content []byte) string {
	data, _ := json.Marshal(len(content))
	return string(data)
}

// checkIndex checks that x is an index and what it says of itself, and returns its
// entries.
func checkIndex(t *testing.T, x *Index) [][]byte {
	t.Helper()
	m, err := x.Manifest()
	if err != nil {
		return x.doc.Entries() // too large, or empty
	}
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil || c.Manifests == nil {
		t.Fatalf("%v: %q", err, m.Content)
	}
	again, err := indexedit.Parse(m.Content)
	if err != nil {
		t.Fatalf("%v: %q", err, m.Content)
	}
	for i, d := range x.Entries() {
		if d.Digest != c.Manifests[i].Digest {
			t.Fatalf("entry %d is %s, was to be %s", i, c.Manifests[i].Digest, d.Digest)
		}
	}
	return again.Entries()
}

// checkKept checks that after has some of before, in their order.
func checkKept(t *testing.T, after, before [][]byte) {
	t.Helper()
	for _, raw := range before {
		if len(after) > 0 && bytes.Equal(after[0], raw) {
			after = after[1:]
		}
	}
	if len(after) > 0 {
		t.Fatalf("%q was not there", after[0])
	}
}
