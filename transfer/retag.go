package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Retagger is an endpoint in which an image gets further tags.
type Retagger interface {
	content.Resolver
	content.Tagger
	fmt.Stringer
}

// TagStatus is what became of a tag.
type TagStatus string

// The kinds of TagStatus.
const (
	TagSet       TagStatus = "tagged"    // it names the image now
	TagUnchanged TagStatus = "unchanged" // it named the image before; registries other than Amazon ECR's do not tell
	TagConflict  TagStatus = "conflict"  // it is immutable and names another image
	TagFailed    TagStatus = "failed"
)

// TagResult is what [Retag] did with one tag. Its JSON form is stable: fields are
// only added.
type TagResult struct {
	Tag      string        `json:"tag"`
	Status   TagStatus     `json:"status"`
	Previous digest.Digest `json:"previous,omitempty"` // what it named before, of a conflict and of PlanRetag
	Err      error         `json:"-"`                  // of a conflict and a failure
}

// RetagResult is what [Retag] did. Its JSON form is stable: fields are only added.
type RetagResult struct {
	Digest    digest.Digest `json:"digest"`    // of the image
	MediaType string        `json:"mediaType"` // of the image
	// ManifestSize is the size of the manifest, in bytes.
	ManifestSize int64 `json:"manifestSize"`
	// Config is the digest of the image's config; "" of an index.
	Config digest.Digest `json:"config,omitempty"`
	Tags   []TagResult   `json:"tags"` // in the order in which they were asked for
}

// newRetagResult returns a RetagResult without tags. What cannot be read as an image has no config.
func newRetagResult(m content.Manifest) RetagResult {
	result := RetagResult{Digest: m.Descriptor.Digest, MediaType: m.Descriptor.MediaType, ManifestSize: m.Descriptor.Size, Tags: []TagResult{}}
	if c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType); err == nil && c.Manifests == nil && len(c.Blobs) > 0 {
		result.Config = c.Blobs[0].Digest
	}
	return result
}

// Done is how many tags name the image.
func (r RetagResult) Done() (n int) {
	for _, t := range r.Tags {
		if t.Status == TagSet || t.Status == TagUnchanged {
			n++
		}
	}
	return n
}

// Retag adds tags to the image that reference, a tag or a digest, names: one
// read of its manifest, and the same bytes written once a tag. All tags are tried;
// the error has those that failed and wraps [content.ErrConflict] if one of them is an
// immutable tag that names another image. In Amazon ECR that is one BatchGetImage
// and one PutImage a tag.
func Retag(ctx context.Context, r Retagger, reference string, tags []string) (RetagResult, error) {
	m, err := imagetree.ResolveTyped(ctx, r, reference)
	if err != nil {
		return RetagResult{}, err
	}
	set := func(tag string) (bool, error) { return true, r.PutTagged(ctx, m, tag) }
	if s, ok := r.(content.TagSetter); ok {
		set = func(tag string) (bool, error) { return s.SetTag(ctx, m, tag) }
	}
	result := newRetagResult(m)
	var failures []error
	for _, tag := range tags {
		one := TagResult{Tag: tag, Status: TagSet}
		changed, err := set(tag)
		var conflict *content.ConflictError
		switch {
		case errors.As(err, &conflict):
			one.Status, one.Previous = TagConflict, conflict.Have
		case err != nil:
			one.Status = TagFailed
		case !changed:
			one.Status = TagUnchanged
		}
		if err != nil {
			one.Err = err
			failures = append(failures, fmt.Errorf("tag %s: %w", tag, err))
		}
		result.Tags = append(result.Tags, one)
		if err := context.Cause(ctx); err != nil {
			if left := tags[len(result.Tags):]; len(left) > 0 {
				failures = append(failures, fmt.Errorf("not tagged yet: %s: %w", strings.Join(left, ", "), err))
			}
			break
		}
	}
	return result, errors.Join(failures...)
}

// PlanRetag reports what [Retag] would do with tags that are mutable. It only reads.
func PlanRetag(ctx context.Context, r Retagger, reference string, tags []string) (RetagResult, error) {
	m, err := imagetree.ResolveTyped(ctx, r, reference)
	if err != nil {
		return RetagResult{}, err
	}
	result := newRetagResult(m)
	for _, tag := range tags {
		one := TagResult{Tag: tag, Status: TagSet}
		have, err := r.Resolve(ctx, tag)
		if err != nil && !errors.Is(err, content.ErrNotFound) {
			return result, err
		}
		if one.Previous = have.Descriptor.Digest; one.Previous == result.Digest {
			one.Status = TagUnchanged
		}
		result.Tags = append(result.Tags, one)
	}
	return result, nil
}
