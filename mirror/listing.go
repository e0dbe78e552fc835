package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/mirror/internal/memo"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// listing is what a repository holds.
type listing struct {
	exists bool
	tags   []Tag // in the order of the endpoint; without digests if it lists only names
	// digests are those of tags, as far as they are known.
	digests map[string]digest.Digest
	// manifests are those that were read on the way.
	manifests map[digest.Digest]content.Manifest
	// images are all images, with and without a tag; nil if the endpoint does not list them.
	images map[digest.Digest]content.Image
	trees  trees
	// indexes are the images and indexes that were selected, without the images of indexes.
	indexes trees
	// by are referrers by subject, and types their artifact types, as far as images shows them.
	by    map[digest.Digest][]digest.Digest
	types map[digest.Digest]string

	// referrersOf are the lists of referrers that were asked for, by subject.
	referrersOf map[digest.Digest][]content.Descriptor

	tagNames map[string]bool // see names

	// read remembers the manifests of a source; nil where many of them are one request.
	read *memo.Repository
}

// reading returns what manifests are read from.
func (l *listing) reading(src content.Source) content.Source {
	if l.read != nil {
		return l.read
	}
	return src
}

// list reads the tags of a repository, and all images where the endpoint lists them. A repository that
// does not exist is an empty listing.
func list(ctx context.Context, endpoint fmt.Stringer) (listing, error) {
	l := listing{exists: true, digests: map[string]digest.Digest{}, manifests: map[digest.Digest]content.Manifest{},
		referrersOf: map[digest.Digest][]content.Descriptor{}, trees: newTrees(false), indexes: newTrees(true)}
	var err error
	switch lister := endpoint.(type) {
	case content.ImageLister:
		l.images = map[digest.Digest]content.Image{}
		for image, failed := range lister.Images(ctx, content.AnyTags) {
			if failed != nil {
				err = failed
				break
			}
			l.images[image.Digest] = image
			for _, tag := range image.Tags {
				l.tags = append(l.tags, Tag{Name: tag, Digest: image.Digest, PushedAt: image.PushedAt})
				l.digests[tag] = image.Digest
			}
		}
	case content.TagLister:
		var names []string
		names, err = lister.Tags(ctx)
		for _, name := range names {
			l.tags = append(l.tags, Tag{Name: name})
		}
	default:
		err = fmt.Errorf("%s does not list its tags: %w", endpoint, content.ErrUnsupported)
	}
	if errors.Is(err, content.ErrNotFound) {
		return listing{}, nil
	}
	return l, err
}

// find adds the digests of tags that are not known yet. Tags that do not exist stay unknown.
func (l *listing) find(ctx context.Context, endpoint content.Resolver, tags []string) error {
	unknown := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { _, known := l.digests[tag]; return known })
	if l.images != nil || len(unknown) == 0 {
		return nil
	}
	if finder, ok := endpoint.(content.DigestFinder); ok {
		found, err := finder.FindDigests(ctx, unknown)
		maps.Copy(l.digests, found)
		return err
	}
	var found map[string]content.Manifest
	var err error
	if finder, ok := endpoint.(content.TagFinder); ok {
		found, err = finder.FindTags(ctx, unknown)
	} else {
		found, err = imagetree.ResolveTags(ctx, unknown, endpoint.Resolve)
	}
	if err != nil {
		return err
	}
	for tag, m := range found {
		l.digests[tag] = m.Descriptor.Digest
		l.manifests[m.Descriptor.Digest] = m
	}
	return nil
}

// referrers returns the images that refer to each subject and that filter takes, if it is not nil, and the
// artifact types; empty if the endpoint does not list images. Where the list has no type that the filter
// could look at, the manifest is read.
func (l listing) referrers(ctx context.Context, src content.Source, filter func(types []string) bool) (by map[digest.Digest][]digest.Digest, types map[digest.Digest]string, err error) {
	types = map[digest.Digest]string{}
	var untyped []digest.Digest
	for _, d := range slices.Sorted(maps.Keys(l.images)) {
		switch image := l.images[d]; {
		case image.Subject == "":
		case filter != nil && image.ArtifactType == "":
			untyped = append(untyped, d)
		default:
			types[d] = image.ArtifactType
		}
	}
	read, err := readRoots(ctx, l.reading(src), untyped, l.manifests, newTrees(false).budget(src, len(untyped)))
	if err != nil {
		return nil, nil, fmt.Errorf("types of referrers: %w", err)
	}
	for _, m := range read {
		entry, _, err := content.ReferrerOf(m)
		if err != nil {
			return nil, nil, fmt.Errorf("referrer %s: %w", m.Descriptor.Digest, err)
		}
		types[m.Descriptor.Digest] = entry.ArtifactType
	}
	by = map[digest.Digest][]digest.Digest{}
	for _, d := range slices.Sorted(maps.Keys(types)) {
		if filter == nil || filter([]string{types[d]}) {
			by[l.images[d].Subject] = append(by[l.images[d].Subject], d)
		}
	}
	return by, types, nil
}
