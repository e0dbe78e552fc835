package content

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// AbsentError reports that files do not have a blob that an image in them names. It is an
// [ErrNotFound] and an [ErrIncomplete].
type AbsentError struct {
	Place  string // of the files
	Digest digest.Digest
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("%s: blob %s: %v; %v", e.Place, e.Digest, ErrNotFound, ErrIncomplete)
}

// Is makes the error an [ErrNotFound] and an [ErrIncomplete].
func (e *AbsentError) Is(target error) bool { return target == ErrNotFound || target == ErrIncomplete }

// IncompleteError reports that a source has only some images of an index, as `docker save`
// writes it of an image of which one platform was pulled. It wraps [ErrNotFound].
type IncompleteError struct {
	Index    digest.Digest
	Missing  []string // platforms, or what else the entries are, in the order of the index
	Complete []string // platforms that can be copied
	Err      error    // the first that was missing
}

func (e *IncompleteError) Error() string {
	has := "no image is complete"
	if len(e.Complete) > 0 {
		has = "complete: " + strings.Join(e.Complete, ", ")
	}
	return fmt.Sprintf("%v: %s of the incomplete index %s; %s", ErrNotFound, strings.Join(e.Missing, ", "), e.Index, has)
}

func (e *IncompleteError) Unwrap() error { return e.Err }

// ExplainMissing returns err as an [IncompleteError] if it is an [ErrNotFound] of something that
// belongs to root, an index, and as it is otherwise. Of files the layers are looked for
// too, of others only the manifests.
func ExplainMissing(ctx context.Context, src ManifestReader, root Manifest, err error) error {
	var known *IncompleteError
	if !errors.Is(err, ErrNotFound) || errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	c, decodeErr := DecodeManifest(root.Content, root.Descriptor.MediaType)
	if decodeErr != nil || len(c.Manifests) == 0 {
		return err
	}
	e := &IncompleteError{Index: root.Descriptor.Digest, Err: err}
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
func ExplainMissingBelow(ctx context.Context, src ManifestReader, manifests []Manifest, err error) error {
	for _, m := range manifests {
		var incomplete *IncompleteError
		if explained := ExplainMissing(ctx, src, m, err); errors.As(explained, &incomplete) {
			return explained
		}
	}
	return err
}

// entryName returns what people call an entry of an index, and whether it is an image for a platform.
func entryName(d Descriptor, all []Descriptor) (name string, isImage bool) {
	if p, ok := PlatformOf(d.Platform); ok {
		return p.String(), true
	}
	if about := EntrySubject(d); about != "" {
		for _, other := range all {
			if p, ok := PlatformOf(other.Platform); ok && other.Digest == about {
				return "attestation of " + p.String(), false
			}
		}
	}
	return string(d.Digest), false
}

// isComplete reports whether src has a manifest and everything below it.
func isComplete(ctx context.Context, src ManifestReader, d Descriptor) bool {
	manifests, err := ReadManifests(ctx, src, []Descriptor{d})
	if err != nil {
		return false
	}
	tree, err := ReadBelow(ctx, src, manifests[0], true)
	if err != nil {
		return false
	}
	files, ok := src.(FileReader)
	if !ok {
		return true
	}
	for _, b := range tree.Blobs {
		if IsForeign(b.MediaType) {
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
