package index

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Result is what [Index.Put] did. Its JSON form is stable: fields are only
// added.
type Result struct {
	Digest       digest.Digest        `json:"digest"`       // of the index
	MediaType    string               `json:"mediaType"`    // of the index
	ManifestSize int64                `json:"manifestSize"` // of the index itself, in bytes
	Tags         []string             `json:"tags"`         // that name it now; [] if none was asked for
	Manifests    []content.Descriptor `json:"manifests"`    // its entries
	Copied       int                  `json:"copied"`       // images that had to be copied to where the index is
	BytesSent    int64                `json:"bytesSent"`    // in the blobs of those
}

// Plan reports what Put would do. It writes nothing.
func (x *Index) Plan(dst content.Endpoint, tags []string) (Result, error) {
	m, err := x.Manifest()
	if err != nil {
		return Result{}, err
	}
	return Result{
		Digest: m.Descriptor.Digest, MediaType: m.Descriptor.MediaType, ManifestSize: m.Descriptor.Size, Tags: append([]string{}, tags...),
		Manifests: x.Entries(), Copied: len(x.copies(dst)),
	}, nil
}

// Put copies the images that are not where the index goes and then stores the
// index, under its tags if there are any. dst is where it goes; nil is the
// endpoint in which it was made or opened. Of opts what says how blobs move counts,
// and BeforeTags. The error wraps [content.ErrConflict] if a tag is immutable and names another
// image.
func (x *Index) Put(ctx context.Context, dst content.Endpoint, tags []string, opts transfer.Options) (Result, error) {
	result, err := x.Plan(dst, tags)
	if err != nil {
		return Result{}, err
	}
	m, err := x.Manifest()
	if err != nil {
		return Result{}, err
	}
	for _, c := range x.copies(dst) {
		sent, err := copyChild(ctx, c.source, x.target(dst), c.IndexEntry, opts)
		if err != nil {
			return Result{}, err
		}
		result.BytesSent += sent.BytesSent + sent.BytesResumed
	}
	if err := putIndex(ctx, x.target(dst), m, tags, opts); err != nil {
		return Result{}, err
	}
	return result, nil
}

// putIndex stores an index whose images are there.
func putIndex(ctx context.Context, dst content.Target, m content.Manifest, tags []string, opts transfer.Options) error {
	if opts.BeforeTags != nil {
		var err error
		if len(tags) > 0 {
			err = dst.PutManifest(ctx, m)
		} else {
			err = dst.PutTagged(ctx, m, "")
		}
		if err != nil {
			return err
		}
		switch err = opts.BeforeTags(ctx, dst, m); {
		case err != nil && len(tags) == 0:
			return fmt.Errorf("%s: index %s: %w", dst, m.Descriptor.Digest, err)
		case err != nil:
			return fmt.Errorf("%s: index %s gets no tag: %w", dst, m.Descriptor.Digest, err)
		}
	} else if len(tags) == 0 {
		return dst.PutTagged(ctx, m, "")
	}
	for _, tag := range tags {
		if err := dst.PutTagged(ctx, m, tag); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) target(dst content.Endpoint) content.Endpoint {
	if dst == nil {
		return x.endpoint
	}
	return dst
}

// copies returns the entries that are not where the index goes, with their sources.
func (x *Index) copies(dst content.Endpoint) (copies []entry) {
	seen := map[digest.Digest]bool{}
	for _, c := range x.children {
		source := x.sources[c.Digest]
		if source == nil && dst != nil {
			source = x.endpoint
		}
		if source != nil && !seen[c.Digest] {
			seen[c.Digest] = true
			copies = append(copies, entry{IndexEntry: c, source: source})
		}
	}
	return copies
}

// copyChild copies what an entry of an index names.
func copyChild(ctx context.Context, src content.Source, dst content.Target, c imagetree.IndexEntry, opts transfer.Options) (transfer.Result, error) {
	root := c.Manifest
	if root.Content == nil {
		manifests, err := imagetree.ReadManifests(ctx, src, []content.Descriptor{c.Descriptor})
		if err != nil {
			return transfer.Result{}, imagetree.Named(src, err)
		}
		root = manifests[0]
	}
	root.Descriptor = content.Descriptor{MediaType: c.MediaType, Digest: c.Digest, Size: c.Size}
	return transfer.CopyEntry(ctx, src, dst, root, opts)
}
