package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/referrerlist"
)

var (
	_ content.TagLister      = Reader{}
	_ content.ReferrerLister = Reader{}
	_ content.TagReader      = Reader{}
)

// Tags returns the tags in index.json.
func (l Reader) Tags(context.Context) ([]string, error) {
	index, err := l.Index()
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, name := range listed(index) {
		if name != "" {
			tags = append(tags, name)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// TagDigests implements [content.TagReader].
func (l Reader) TagDigests(_ context.Context, tags []string) (map[string]digest.Digest, error) {
	index, err := l.Index()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a target that is yet to be made
	}
	named := map[string]digest.Digest{}
	for _, d := range index {
		if tag := d.Annotations[ocispec.AnnotationRefName]; tag != "" && slices.Contains(tags, tag) {
			named[tag] = d.Digest
		}
	}
	return named, err
}

// FindTags reads index.json once.
func (l Reader) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	index, err := l.Index()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a target that is yet to be made
	}
	if err != nil {
		return nil, err
	}
	found := map[string]content.Manifest{}
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
func (l Reader) Referrers(ctx context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	index, err := l.Index()
	if err != nil {
		return nil, err
	}
	listed, err := l.listedReferrers(ctx, index, subject)
	if err != nil {
		return nil, err
	}
	unlisted, err := l.unlisted(ctx, index)
	if err != nil {
		return nil, err
	}
	var found []content.Descriptor
	for _, d := range slices.Concat(index, listed, unlisted) {
		if imagetree.HasDescriptor(found, d) {
			continue
		}
		entry, names, err := l.subject(ctx, d)
		if err != nil {
			return nil, err
		}
		switch {
		case names == subject && names != "":
			found = append(found, entry)
		case imagetree.HasDescriptor(listed, d):
			if _, err := l.StatBlob(ctx, d.Digest); errors.Is(err, content.ErrNotFound) {
				found = append(found, d) // its list says that it refers to the subject
			}
		}
	}
	return found, nil
}

// listedReferrers returns what the list names that is kept by the tag of the subject.
func (l Reader) listedReferrers(ctx context.Context, index []content.Descriptor, subject digest.Digest) ([]content.Descriptor, error) {
	d, err := pick(index, content.DigestTag(subject, content.DigestTagReferrers))
	if err != nil || d.Digest == subject {
		return nil, nil // there is none, or the tag is that of the image itself, as cosign copy sets it
	}
	m, err := l.named(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := content.VerifyManifest(m, d); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	listed, err := referrerlist.Decode(m.Content)
	if err != nil {
		return nil, fmt.Errorf("%s:%s: %w", l.name, content.DigestTag(subject, content.DigestTagReferrers), err)
	}
	return listed.Manifests, nil
}

// subject returns the entry of a manifest of index.json in the list of its subject's
// referrers, and the subject; "" if it has none. What is not there refers to nothing.
func (l Reader) subject(ctx context.Context, d content.Descriptor) (entry content.Descriptor, subject digest.Digest, err error) {
	if d.Size > content.MaxManifestSize || !slices.Contains(content.ManifestMediaTypes(), d.MediaType) {
		return content.Descriptor{}, "", nil
	}
	manifests, err := l.Manifests(ctx, []content.Descriptor{d})
	if errors.Is(err, content.ErrNotFound) {
		return content.Descriptor{}, "", nil
	}
	if err == nil {
		err = content.VerifyManifest(manifests[0], d)
	}
	if err == nil {
		entry, subject, err = content.ReferrerOf(manifests[0])
	}
	if err != nil {
		return content.Descriptor{}, "", imagetree.Named(l, imagetree.WithDigest("manifest", d.Digest, err))
	}
	return entry, subject, nil
}

// withoutReferrers drops what refers to another image, without a tag or by one that
// is made of a digest: a signature beside an image leaves it the only one.
func (l Reader) withoutReferrers(ctx context.Context, index []content.Descriptor) ([]content.Descriptor, error) {
	var images []content.Descriptor
	for _, d := range index {
		tag := d.Annotations[ocispec.AnnotationRefName]
		if _, _, ok := content.ParseDigestTag(tag); ok {
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
	_ content.ImageLister    = Reader{}
	_ content.ImageDescriber = Reader{}
)

var _ content.BlobStatter = Reader{}
