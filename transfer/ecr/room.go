package ecr

import (
	"fmt"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// room is how many bytes the manifests may still have that one call reads: they are held in memory, and whoever may push
// decides how large they are.
type room struct {
	repository *Repository
	left       int64
}

// room returns that for n manifests: as much as those of one image may have, and where there are many, a 1024th of that for
// each, as a mirror allows.
func (e *Repository) room(n int) *room { return &room{e, max(e.most, int64(n)*(e.most>>10))} }

// take counts the manifests of an answer. The error wraps [content.ErrUnsupported].
func (r *room) take(images []content.TaggedManifest) error {
	for _, m := range images {
		r.left -= int64(len(m.Content))
	}
	if r.left < 0 {
		return fmt.Errorf("%s: %w: the manifests of the selected images are too large together; select fewer", r.repository, content.ErrUnsupported)
	}
	return nil
}
