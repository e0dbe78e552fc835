package transfer

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
)

// AnnotationSubsetOf is the annotation of an OCI index that was made of some images of another one, which it names by its digest.
const AnnotationSubsetOf = "io.github.ecrkit.subset-of"

// selectPlatforms returns what platforms want of root, which src has.
//
// Of an image it is the image. Of an index it is the image if one platform
// without a wildcard is wanted; otherwise root if it has nothing else, and
// if it has, an index of those images with their attestations: a registry that
// takes no index without its images, as Amazon ECR, could not have root. With
// keepDigest that is an error.
func selectPlatforms(ctx context.Context, src imagetree.ContentReader, root content.Manifest, platforms []content.Platform, keepDigest bool) (content.Manifest, error) {
	if len(platforms) == 0 {
		return root, nil
	}
	c, err := content.DecodeManifest(root.Content, root.Descriptor.MediaType)
	if err != nil {
		return content.Manifest{}, fmt.Errorf("manifest %s: %w", root.Descriptor.Digest, err)
	}
	root.Descriptor.MediaType = c.MediaType
	var children []imagetree.IndexEntry
	if c.Manifests == nil {
		children = []imagetree.IndexEntry{{Descriptor: root.Descriptor, Manifest: root}}
		children[0].Platform = nil
	} else if children, err = imagetree.IndexEntries(c); err != nil {
		return content.Manifest{}, fmt.Errorf("index %s: %w", root.Descriptor.Digest, err)
	}
	if err := imagetree.ReadPlatforms(ctx, src, children); err != nil {
		return content.Manifest{}, imagetree.ExplainMissing(ctx, src, root, imagetree.InIndex(err, root.Descriptor.Digest))
	}
	wanted, err := match(root.Descriptor.Digest, children, platforms)
	if err != nil {
		return content.Manifest{}, err
	}
	if c.Manifests == nil {
		return root, nil
	}
	if one := wanted[0]; len(wanted) == 1 && one.platform.Variant != content.AnyVariant {
		return onlyImage(ctx, src, root, children, one)
	}
	return subset(root, children, wanted, keepDigest)
}

// want is one wanted platform and the children that it matches.
type want struct {
	platform content.Platform
	children []int
}

// match finds the children for each platform, or those of a lower variant that run there. A platform
// without either is an error.
func match(root digest.Digest, children []imagetree.IndexEntry, platforms []content.Platform) ([]want, error) {
	var wanted []want
	for _, p := range platforms {
		p = p.Normal()
		if slices.ContainsFunc(wanted, func(w want) bool { return w.platform == p }) {
			continue
		}
		w := want{platform: p}
		for i, c := range children {
			if c.HasPlatform && p.Matches(c.RunsOn) {
				w.children = append(w.children, i)
			}
		}
		if len(w.children) == 0 {
			w.children = compatible(children, p)
		}
		if len(w.children) == 0 {
			return nil, fmt.Errorf("%s: %w: it is for %s, not for %s", root, content.ErrNotFound, imagetree.PlatformList(children), p)
		}
		wanted = append(wanted, w)
	}
	return wanted, nil
}

// compatible returns the children that run where p is wanted, of the best variant below it.
func compatible(children []imagetree.IndexEntry, p content.Platform) []int {
	var found []int
	best := 1
	for i, c := range children {
		if !c.HasPlatform {
			continue
		}
		switch n := p.Compatible(c.RunsOn); {
		case n > best:
			best, found = n, []int{i}
		case n == best:
			found = append(found, i)
		}
	}
	return found
}

// onlyImage returns the manifest of the one image that is wanted.
func onlyImage(ctx context.Context, src content.ManifestReader, root content.Manifest, children []imagetree.IndexEntry, w want) (content.Manifest, error) {
	var found []imagetree.IndexEntry
	for _, i := range w.children {
		found = append(found, children[i])
		if children[i].RunsOn != found[0].RunsOn {
			return content.Manifest{}, fmt.Errorf("%s is several images (%s); say which one", w.platform, imagetree.PlatformList(found))
		}
	}
	c := found[0] // of several for the same platform the first, as every client does
	if c.Manifest.Content == nil {
		manifests, err := imagetree.ReadManifests(ctx, src, []content.Descriptor{c.Descriptor})
		if err != nil {
			return content.Manifest{}, imagetree.ExplainMissing(ctx, src, root, imagetree.InIndex(err, root.Descriptor.Digest))
		}
		c.Manifest = manifests[0]
	}
	// What an index says of an entry is no part of the image.
	d := c.Manifest.Descriptor
	c.Manifest.Descriptor = content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	return c.Manifest, nil
}

// subset returns root with the wanted children only.
func subset(root content.Manifest, children []imagetree.IndexEntry, wanted []want, keepDigest bool) (content.Manifest, error) {
	images := map[digest.Digest]bool{}
	kept := make([]bool, len(children))
	for _, w := range wanted {
		for _, i := range w.children {
			kept[i], images[children[i].Digest] = true, true
		}
	}
	all := true
	for i, c := range children {
		if about := imagetree.EntrySubject(c.Descriptor); !c.HasPlatform && images[about] {
			kept[i] = true
		}
		all = all && (kept[i] || !c.HasPlatform)
	}
	if all {
		return root, nil
	}
	if keepDigest {
		return content.Manifest{}, fmt.Errorf("%w: an index of some of its images only is another one, with another digest than %s; Amazon ECR takes no index whose images are not all there. Copy all platforms to keep the digest, or one, which keeps that of the image", content.ErrUnsupported, root.Descriptor.Digest)
	}
	index, err := indexedit.Parse(root.Content)
	if err != nil {
		return content.Manifest{}, fmt.Errorf("index %s: %w: %w", root.Descriptor.Digest, content.ErrIntegrity, err)
	}
	index.Keep(func(i int) bool { return i < len(kept) && kept[i] })
	if root.Descriptor.MediaType == ocispec.MediaTypeImageIndex { // a list of Docker has no annotations
		if err := index.Annotate(map[string]string{AnnotationSubsetOf: string(root.Descriptor.Digest)}, nil); err != nil {
			return content.Manifest{}, fmt.Errorf("index %s: %w: %w", root.Descriptor.Digest, content.ErrIntegrity, err)
		}
	}
	return content.NewManifest(index.Bytes(), root.Descriptor.MediaType), nil
}
