package transfer

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// IndexResult is what [Index.Put] did. Its JSON form is stable: fields are only
// added.
type IndexResult struct {
	Digest    digest.Digest `json:"digest"`    // of the index
	MediaType string        `json:"mediaType"` // of the index
	Tags      []string      `json:"tags"`      // that name it now; [] if none was asked for
	Manifests []Descriptor  `json:"manifests"` // its entries
	Copied    int           `json:"copied"`    // images that had to be copied to where the index is
	BytesSent int64         `json:"bytesSent"` // in the blobs of those
}

// Plan tells what Put would do. It writes nothing.
func (x *Index) Plan(dst Endpoint, tags []string) (IndexResult, error) {
	m, err := x.Manifest()
	if err != nil {
		return IndexResult{}, err
	}
	return IndexResult{
		Digest: m.Descriptor.Digest, MediaType: m.Descriptor.MediaType, Tags: append([]string{}, tags...),
		Manifests: x.Entries(), Copied: len(x.copies(dst)),
	}, nil
}

// Put copies the images that are not where the index goes and then stores the
// index, under its tags if there are any. dst is where it goes; nil is the
// endpoint in which it was made or opened. Of opts what says how blobs move counts,
// and BeforeTags. The error wraps [ErrConflict] if a tag is immutable and names another
// image.
func (x *Index) Put(ctx context.Context, dst Endpoint, tags []string, opts Options) (IndexResult, error) {
	result, err := x.Plan(dst, tags)
	if err != nil {
		return IndexResult{}, err
	}
	m, err := x.Manifest()
	if err != nil {
		return IndexResult{}, err
	}
	for _, c := range x.copies(dst) {
		sent, err := copyChild(ctx, c.source, x.target(dst), c.child, opts)
		if err != nil {
			return IndexResult{}, err
		}
		result.BytesSent += sent.BytesSent + sent.BytesResumed
	}
	if err := putIndex(ctx, x.target(dst), m, tags, opts); err != nil {
		return IndexResult{}, err
	}
	return result, nil
}

// putIndex stores an index whose images are there.
func putIndex(ctx context.Context, dst Target, m Manifest, tags []string, opts Options) error {
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

func (x *Index) target(dst Endpoint) Endpoint {
	if dst == nil {
		return x.endpoint
	}
	return dst
}

// copies gives the entries that are not where the index goes, with their sources.
func (x *Index) copies(dst Endpoint) (copies []entry) {
	seen := map[digest.Digest]bool{}
	for _, c := range x.children {
		source := x.sources[c.Digest]
		if source == nil && dst != nil {
			source = x.endpoint
		}
		if source != nil && !seen[c.Digest] {
			seen[c.Digest] = true
			copies = append(copies, entry{child: c, source: source})
		}
	}
	return copies
}

// copyChild copies what an entry of an index names.
func copyChild(ctx context.Context, src Source, dst Target, c child, opts Options) (Result, error) {
	root := c.manifest
	if root.Content == nil {
		manifests, err := readLevel(ctx, src, []Descriptor{c.Descriptor})
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", src, err)
		}
		root = manifests[0]
	}
	root.Descriptor = Descriptor{MediaType: c.MediaType, Digest: c.Digest, Size: c.Size}
	return CopyEntry(ctx, src, dst, root, opts)
}
