package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagename"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// pick finds the entry of index that reference names.
func pick(index []content.Descriptor, reference string) (content.Descriptor, error) {
	images := make([]imagename.NamedImage, len(index))
	digests := map[digest.Digest]bool{}
	var names []string
	for i, d := range index {
		if reference != "" && string(d.Digest) == reference {
			return d, nil
		}
		images[i] = imagename.NamedImage{ID: d.Digest, Names: namesOf(d)}
		digests[d.Digest] = true
	}
	for _, name := range listed(index) {
		if name != "" {
			names = append(names, name)
		}
	}
	known := "none has a tag, name one by @sha256:…"
	if len(names) > 0 {
		slices.Sort(names)
		known = "tags: " + strings.Join(slices.Compact(names), ", ")
	}
	switch {
	case len(digests) == 0:
		return content.Descriptor{}, fmt.Errorf("has no image: %w", content.ErrNotFound)
	case reference != "":
		i, err := imagename.FindName(images, reference)
		if errors.Is(err, content.ErrNotFound) {
			err = fmt.Errorf("has no image %s: %w (%s)", reference, err, known)
		}
		if err != nil {
			return content.Descriptor{}, err
		}
		return index[i], nil
	case len(digests) > 1:
		return content.Descriptor{}, fmt.Errorf("has %d images; say which one (%s)", len(digests), known)
	}
	return index[0], nil
}

// shared is in the place of an entry that is one of several with a name.
const shared = 0

// exactNames returns the entry, counted from one, that each digest and each name as it is written is of, as [pick] finds it.
func exactNames(index []content.Descriptor) map[string]int {
	exact := make(map[string]int, 2*len(index))
	for i, d := range index {
		for _, name := range namesOf(d) {
			if at, known := exact[name]; !known {
				exact[name] = i + 1
			} else if at != shared && index[at-1].Digest != d.Digest {
				exact[name] = shared
			}
		}
	}
	for i, d := range slices.Backward(index) {
		exact[string(d.Digest)] = i + 1
	}
	return exact
}

// namesOf returns the names of an entry of index.json.
func namesOf(d content.Descriptor) (names []string) {
	for _, key := range []string{ocispec.AnnotationRefName, imagename.AnnotationContainerdName} {
		if name := d.Annotations[key]; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// listed returns the name by which each entry is listed, "" of one without: that of the
// annotation org.opencontainers.image.ref.name, unless several images share it and
// containerd's tells them apart.
func listed(index []content.Descriptor) []string {
	first := map[string]digest.Digest{}
	shared := map[string]bool{}
	for _, d := range index {
		name := d.Annotations[ocispec.AnnotationRefName]
		if other, known := first[name]; known && other != d.Digest {
			shared[name] = true
		}
		first[name] = d.Digest
	}
	names := make([]string, len(index))
	for i, d := range index {
		names[i] = d.Annotations[ocispec.AnnotationRefName]
		if full := d.Annotations[imagename.AnnotationContainerdName]; full != "" && (names[i] == "" || shared[names[i]]) {
			names[i] = full
		}
	}
	return names
}
