package content

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Annotations by which an entry of the index.json of a layout has a name.
const (
	// AnnotationContainerdName has the name in full:
	// https://github.com/containerd/containerd/blob/v2.2.0/core/images/annotations.go.
	AnnotationContainerdName = "io.containerd.image.name"
	// AnnotationKind is the kind of an entry of a layout of cosign save, which has no name:
	// https://github.com/sigstore/cosign/blob/v3.1.3/pkg/oci/layout/index.go.
	AnnotationKind = "kind"
)

// Values of [AnnotationKind].
const (
	KindCosignImage        = "dev.cosignproject.cosign/image"
	KindCosignIndex        = "dev.cosignproject.cosign/imageIndex"
	KindCosignSignatures   = "dev.cosignproject.cosign/sigs"
	KindCosignAttestations = "dev.cosignproject.cosign/atts"
)

// NamedImage is an image in a file, which has names.
type NamedImage struct {
	ID    digest.Digest // of its manifest, or of its config where it has none
	Names []string      // as they are written: tags, or [HOST/]NAME:TAG
}

// AmbiguousNameError reports that a name is that of several images in a file.
type AmbiguousNameError struct {
	Name   string
	Images []NamedImage
}

func (e *AmbiguousNameError) Error() string {
	var images []string
	for _, i := range e.Images {
		text := string(i.ID)
		if names := slices.DeleteFunc(slices.Clone(i.Names), func(n string) bool { return n == e.Name }); len(names) > 0 {
			text = fmt.Sprintf("%s (%s)", strings.Join(names, ", "), text)
		}
		images = append(images, text)
	}
	return fmt.Sprintf("has %d images with the name %s; say which one: %s", len(e.Images), e.Name, strings.Join(images, ", "))
}

// FindName returns the place of the image that a name is of. Names count as they are
// written; then in the form in which docker writes them, in full or short; then by the
// tag of a name. The name of several images is an [AmbiguousNameError]; of none it is
// [ErrNotFound].
func FindName(images []NamedImage, name string) (int, error) {
	for _, same := range []func(string) bool{
		func(n string) bool { return n == name },
		func(n string) bool { return strings.Contains(n, ":") && FamiliarName(n) == FamiliarName(name) },
		func(n string) bool { return IsTag(name) && TagOfName(n) == name },
	} {
		var found []int
		for i, image := range images {
			if slices.ContainsFunc(image.Names, same) && !slices.ContainsFunc(found, func(j int) bool { return images[j].ID == image.ID }) {
				found = append(found, i)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			e := &AmbiguousNameError{Name: name}
			for _, i := range found {
				e.Images = append(e.Images, images[i])
			}
			return 0, e
		}
	}
	return 0, ErrNotFound
}

// FamiliarName is a name without what docker takes for granted: docker.io/library/.
func FamiliarName(name string) string {
	for _, host := range []string{"docker.io/", "index.docker.io/"} {
		name = strings.TrimPrefix(name, host)
	}
	return strings.TrimPrefix(name, "library/")
}

// TagOfName returns the tag of [HOST/]NAME:TAG; a name that is a tag is it, and "" is
// returned if there is none.
func TagOfName(name string) string {
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[i+1:]
	}
	if IsTag(name) {
		return name
	}
	return ""
}
