package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// StatBlob looks at the file of the blob.
func (l Reader) StatBlob(_ context.Context, d digest.Digest) (content.Descriptor, error) {
	if err := content.CheckDescriptor(content.Descriptor{Digest: d}); err != nil {
		return content.Descriptor{}, fmt.Errorf("%s: %w", l.name, err)
	}
	info, err := fs.Stat(l.files, BlobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return content.Descriptor{}, fmt.Errorf("%s: blob %s: %w", l.name, d, content.ErrNotFound)
	}
	if err != nil {
		return content.Descriptor{}, fmt.Errorf("%s: blob %s: %w", l.name, d, err)
	}
	return content.Descriptor{Digest: d, Size: info.Size()}, nil
}

// DescribeImage finds the image in index.json.
func (l Reader) DescribeImage(ctx context.Context, d digest.Digest) (content.Image, error) {
	for image, err := range l.Images(ctx, content.AnyTags) {
		if err != nil || image.Digest == d {
			return image, err
		}
	}
	return content.Image{}, fmt.Errorf("%s has no image %s: %w", l.name, d, content.ErrNotFound)
}

// Images lists what index.json names, each image once with all its tags.
func (l Reader) Images(ctx context.Context, tags content.TagFilter) iter.Seq2[content.Image, error] {
	return func(yield func(content.Image, error) bool) {
		entries, err := l.Index()
		if err != nil {
			yield(content.Image{}, err)
			return
		}
		var order []content.Descriptor
		named := map[digest.Digest][]string{}
		tagOf := listed(entries)
		for i, d := range entries {
			if _, known := named[d.Digest]; !known {
				order = append(order, d)
				named[d.Digest] = []string{}
			}
			if tag := tagOf[i]; tag != "" {
				named[d.Digest] = append(named[d.Digest], tag)
			}
		}
		for _, d := range order {
			names := named[d.Digest]
			slices.Sort(names)
			if tags == content.TaggedOnly && len(names) == 0 || tags == content.UntaggedOnly && len(names) > 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(content.Image{}, fmt.Errorf("%s: %w", l.name, err))
				return
			}
			image := content.Image{Digest: d.Digest, Tags: slices.Compact(names), MediaType: d.MediaType, ArtifactType: l.artifactType(ctx, d), Size: l.imageSize(ctx, d)}
			if !yield(image, nil) {
				return
			}
		}
	}
}

// artifactType returns the type of what is no image: the manifest decides, if it is there,
// since tools copy all kinds of things to its entry.
func (l Reader) artifactType(ctx context.Context, d content.Descriptor) string {
	if d.Size > content.MaxManifestSize {
		return ""
	}
	read, err := l.Manifests(ctx, []content.Descriptor{d})
	if err != nil {
		return d.ArtifactType
	}
	return imagetree.ArtifactType(read[0].Content)
}

// imageSize is the size of all blobs of an image, 0 if the layout does not have all of
// its manifests.
func (l Reader) imageSize(ctx context.Context, d content.Descriptor) int64 {
	if d.Size > content.MaxManifestSize {
		return 0
	}
	roots, err := l.Manifests(ctx, []content.Descriptor{d})
	if err != nil {
		return 0
	}
	g, err := imagetree.ReadBelow(ctx, l, roots[0], true)
	if err != nil {
		return 0
	}
	return content.TotalSize(g.Blobs)
}
