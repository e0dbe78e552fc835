// Package imagename finds images by the names that they have in layouts and archives: in full, as
// docker writes them, or by the tag.
package imagename

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// AnnotationContainerdName is on an entry of the index.json of a layout and has its name in full:
// https://github.com/containerd/containerd/blob/v2.2.0/core/images/annotations.go.
const AnnotationContainerdName = "io.containerd.image.name"

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
// [content.ErrNotFound].
func FindName(images []NamedImage, name string) (int, error) {
	for _, same := range []func(string) bool{
		func(n string) bool { return n == name },
		func(n string) bool { return strings.Contains(n, ":") && FamiliarName(n) == FamiliarName(name) },
		func(n string) bool { return content.IsTag(name) && TagOfName(n) == name },
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
	return 0, content.ErrNotFound
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
	if content.IsTag(name) {
		return name
	}
	return ""
}
