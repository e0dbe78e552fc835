package imagetree

import (
	"context"
	"errors"
	"slices"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// ExplainMissing returns err as an [content.IncompleteError] if it is an [content.ErrNotFound] of something that
// belongs to root, an index, and as it is otherwise. Of files the layers are looked for
// too, of others only the manifests.
func ExplainMissing(ctx context.Context, src content.ManifestReader, root content.Manifest, err error) error {
	var known *content.IncompleteError
	if !errors.Is(err, content.ErrNotFound) || errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	c, decodeErr := content.DecodeManifest(root.Content, root.Descriptor.MediaType)
	if decodeErr != nil || len(c.Manifests) == 0 {
		return err
	}
	e := &content.IncompleteError{Index: root.Descriptor.Digest, Err: err}
	for _, d := range c.Manifests {
		name, isImage := entryName(d, c.Manifests)
		switch complete := isComplete(ctx, src, d); {
		case !complete && !slices.Contains(e.Missing, name):
			e.Missing = append(e.Missing, name)
		case complete && isImage && !slices.Contains(e.Complete, name):
			e.Complete = append(e.Complete, name)
		}
	}
	if len(e.Missing) == 0 {
		return err
	}
	return e
}

// ExplainMissingBelow is [ExplainMissing] where any of the manifests may name what is missing.
func ExplainMissingBelow(ctx context.Context, src content.ManifestReader, manifests []content.Manifest, err error) error {
	for _, m := range manifests {
		var incomplete *content.IncompleteError
		if explained := ExplainMissing(ctx, src, m, err); errors.As(explained, &incomplete) {
			return explained
		}
	}
	return err
}

// entryName returns what people call an entry of an index, and whether it is an image for a platform.
func entryName(d content.Descriptor, all []content.Descriptor) (name string, isImage bool) {
	if p, ok := content.PlatformOf(d.Platform); ok {
		return p.String(), true
	}
	if about := EntrySubject(d); about != "" {
		for _, other := range all {
			if p, ok := content.PlatformOf(other.Platform); ok && other.Digest == about {
				return "attestation of " + p.String(), false
			}
		}
	}
	return string(d.Digest), false
}

// isComplete reports whether src has a manifest and everything below it.
func isComplete(ctx context.Context, src content.ManifestReader, d content.Descriptor) bool {
	manifests, err := ReadManifests(ctx, src, []content.Descriptor{d})
	if err != nil {
		return false
	}
	tree, err := ReadBelow(ctx, src, manifests[0], true)
	if err != nil {
		return false
	}
	files, ok := src.(content.FileReader)
	if !ok {
		return true
	}
	for _, b := range tree.Blobs {
		if content.IsForeign(b.MediaType) {
			continue
		}
		f, err := files.BlobFile(ctx, b)
		if err != nil {
			return false
		}
		f.Close()
	}
	return true
}
