package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var (
	_ TagLister      = layoutReader{}
	_ ReferrerLister = layoutReader{}
)

// Tags gives the tags in index.json.
func (l layoutReader) Tags(context.Context) ([]string, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, d := range index {
		if tag := d.Annotations[ocispec.AnnotationRefName]; tag != "" {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// findTags reads index.json once.
func (l layoutReader) findTags(ctx context.Context, tags []string) (map[string]Manifest, error) {
	index, err := l.index()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a target that is yet to be made
	}
	if err != nil {
		return nil, err
	}
	found := map[string]Manifest{}
	for _, d := range index {
		tag := d.Annotations[ocispec.AnnotationRefName]
		if _, is := found[tag]; is || tag == "" || !slices.Contains(tags, tag) {
			continue
		}
		if found[tag], err = l.named(ctx, d); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Referrers reads all manifests that index.json names, and those in the list that
// some clients keep by a tag, as in a registry: a layout has no other list.
func (l layoutReader) Referrers(ctx context.Context, subject digest.Digest) ([]Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	listed, err := l.listed(ctx, index, subject)
	if err != nil {
		return nil, err
	}
	var found []Descriptor
	for _, d := range append(index, listed...) {
		if hasDescriptor(found, d) {
			continue
		}
		entry, names, err := l.subject(ctx, d)
		if err != nil {
			return nil, err
		}
		if names == subject && names != "" {
			found = append(found, entry)
		}
	}
	return found, nil
}

// listed gives what the list names that is kept by the tag of the subject.
func (l layoutReader) listed(ctx context.Context, index []Descriptor, subject digest.Digest) ([]Descriptor, error) {
	d, err := pick(index, DigestTag(subject, DigestTagReferrers))
	if err != nil {
		return nil, nil // there is none
	}
	m, err := l.named(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := verifyManifest(m, d); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	listed, err := decodeReferrers(m.Content)
	if err != nil {
		return nil, fmt.Errorf("%s:%s: %w", l.name, DigestTag(subject, DigestTagReferrers), err)
	}
	return listed, nil
}

// subject gives the entry of a manifest of index.json in the list of its subject's
// referrers, and the subject; "" if it has none. What is not there refers to nothing.
func (l layoutReader) subject(ctx context.Context, d Descriptor) (entry Descriptor, subject digest.Digest, err error) {
	if d.Size > MaxManifestSize || !slices.Contains(manifestMediaTypes(), d.MediaType) {
		return Descriptor{}, "", nil
	}
	manifests, err := l.Manifests(ctx, []Descriptor{d})
	if errors.Is(err, ErrNotFound) {
		return Descriptor{}, "", nil
	}
	if err == nil {
		err = verifyManifest(manifests[0], d)
	}
	if err == nil {
		entry, subject, err = referrerOf(manifests[0])
	}
	if err != nil {
		return Descriptor{}, "", fmt.Errorf("%s: manifest %s: %w", l.name, d.Digest, err)
	}
	return entry, subject, nil
}

// withoutReferrers drops what refers to another image, without a tag or by one that
// is made of a digest: a signature beside an image leaves it the only one.
func (l layoutReader) withoutReferrers(ctx context.Context, index []Descriptor) ([]Descriptor, error) {
	var images []Descriptor
	for _, d := range index {
		tag := d.Annotations[ocispec.AnnotationRefName]
		if _, _, ok := ParseDigestTag(tag); ok {
			continue
		}
		if tag == "" {
			_, subject, err := l.subject(ctx, d)
			if err != nil {
				return nil, err
			}
			if subject != "" {
				continue
			}
		}
		images = append(images, d)
	}
	return images, nil
}

var (
	_ ImageLister    = layoutReader{}
	_ ImageDescriber = layoutReader{}
)

var _ BlobStatter = layoutReader{}
