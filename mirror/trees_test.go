package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	indexType = "application/vnd.oci.image.index.v1+json"
	imageType = "application/vnd.oci.image.manifest.v1+json"
)

// stored are manifests by their digests.
type stored map[digest.Digest]content.Manifest

// index adds an index with these entries.
func (s stored) index(entries []content.Descriptor, padding int) content.Descriptor {
	var list []string
	for _, d := range entries {
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, d.MediaType, d.Digest, d.Size))
	}
	text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.Join(list, ",")) + strings.Repeat(" ", padding)
	d := content.Descriptor{MediaType: indexType, Digest: digest.FromString(text), Size: int64(len(text))}
	s[d.Digest] = content.Manifest{Descriptor: d, Content: []byte(text)}
	return d
}

// treeSource is a source that has the manifests, and counts how many it is asked for below the roots.
type treeSource struct {
	content.Source
	stored stored
	asked  *int
}

func (s treeSource) String() string { return "HOST/app" }

func (s treeSource) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	return s.stored[digest.Digest(reference)], nil
}

func (s treeSource) Manifests(_ context.Context, descriptors []content.Descriptor) (found []content.Manifest, err error) {
	for _, d := range descriptors {
		*s.asked++
		found = append(found, s.stored[d.Digest])
	}
	return found, nil
}

// large returns n descriptors of manifests of 4 MiB that nobody has.
func large(name string, n int) (all []content.Descriptor) {
	for i := range n {
		all = append(all, content.Descriptor{MediaType: indexType, Digest: digest.FromString(fmt.Sprint(name, i)), Size: 4 << 20})
	}
	return all
}

// TestTreesAreBounded has the indexes of a repository lead to more than may be held in memory.
func TestTreesAreBounded(t *testing.T) {
	t.Parallel()
	all := stored{}
	tests := map[string]struct {
		roots []content.Descriptor
		want  string // the object at fault
	}{
		"wide": {[]content.Descriptor{all.index(large("wide", 33), 0)}, "HOST/app@"},
		"deep": {[]content.Descriptor{all.index([]content.Descriptor{all.index(large("deep", 33), 0)}, 0)}, "HOST/app@"},
		"many": {[]content.Descriptor{all.index(large("a", 17), 0), all.index(large("b", 17), 0)}, "HOST/app"},
	}
	shared := all.index(nil, 4<<20-1000)
	one := tests["many"]
	one.roots = nil
	for i := range 40 {
		one.roots = append(one.roots, all.index([]content.Descriptor{shared}, i))
	}
	tests["shared"] = one
	for name, test := range tests {
		asked := 0
		src := treeSource{stored: all, asked: &asked}
		var roots []digest.Digest
		for _, d := range test.roots {
			roots = append(roots, d.Digest)
		}
		err := newTrees(true).read(t.Context(), src, roots, nil)
		want := test.want
		if want == "HOST/app@" {
			want += string(roots[0])
		}
		if !errors.Is(err, content.ErrUnsupported) || !strings.HasPrefix(err.Error(), want+": ") || !strings.Contains(err.Error(), "tags") {
			t.Errorf("%s: %v", name, err)
		}
		if asked > 1 {
			t.Errorf("%s: %d manifests were read", name, asked)
		}
	}
}

// TestManySmallTrees has a repository with many usual images, which have more bytes together than one may have.
func TestManySmallTrees(t *testing.T) {
	t.Parallel()
	all, asked := stored{}, 0
	var roots []digest.Digest
	for i := range 1500 {
		child := all.index([]content.Descriptor{{MediaType: imageType, Digest: digest.FromString(fmt.Sprint(i)), Size: 9}}, 400)
		roots = append(roots, all.index([]content.Descriptor{child}, 0).Digest)
	}
	trees := newTrees(true)
	trees.most = 1 << 20
	if err := trees.read(t.Context(), treeSource{stored: all, asked: &asked}, roots, nil); err != nil || asked != 1500 {
		t.Errorf("%d manifests: %v", asked, err)
	}
	if n := len(trees.under(roots[7])); n != 3 {
		t.Errorf("%d manifests", n)
	}
	if _, n := trees.blobs(roots); n != 4500 {
		t.Errorf("%d manifests", n)
	}
}
