package transfer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
)

// attestedAnnotation is on the entry of an index that BuildKit adds for what it
// attests of another entry: the digest of that one. Its platform is "unknown":
// https://github.com/moby/buildkit/blob/v0.26.0/docs/attestations/attestation-storage.md.
const attestedAnnotation = "vnd.docker.reference.digest"

// contentReader is what it takes to read the platform of an image.
type contentReader interface {
	ManifestReader
	BlobReader
}

// child is an entry of an index, or an image alone.
type child struct {
	Descriptor
	platform    Platform
	hasPlatform bool
	manifest    Manifest          // if it had to be read
	fromConfig  *ocispec.Platform // if the descriptor has none
	read        bool              // by readPlatforms
}

// saysNoPlatform tells whether the descriptor leaves the platform to the config.
func (c child) saysNoPlatform() bool {
	return (c.Platform == nil || c.Platform.OS == "") && c.Annotations[attestedAnnotation] == ""
}

// selectPlatforms gives what platforms want of root, which src has.
//
// Of an image it is the image. Of an index it is the image if one platform
// without a wildcard is wanted; otherwise root if it has nothing else, and
// if it has, an index of those images with their attestations: a registry that
// takes no index without its images, as Amazon ECR, could not have root. With
// keepDigest that is an error.
func selectPlatforms(ctx context.Context, src contentReader, root Manifest, platforms []Platform, keepDigest bool) (Manifest, error) {
	if len(platforms) == 0 {
		return root, nil
	}
	c, err := decodeManifest(root.Content, root.Descriptor.MediaType)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest %s: %w", root.Descriptor.Digest, err)
	}
	root.Descriptor.MediaType = c.mediaType
	var children []child
	if c.manifests == nil {
		children = []child{{Descriptor: root.Descriptor, manifest: root}}
		children[0].Platform = nil
	} else if children, err = indexChildren(c); err != nil {
		return Manifest{}, fmt.Errorf("index %s: %w", root.Descriptor.Digest, err)
	}
	if err := readPlatforms(ctx, src, children); err != nil {
		return Manifest{}, err
	}
	wanted, err := match(root.Descriptor.Digest, children, platforms)
	if err != nil {
		return Manifest{}, err
	}
	if c.manifests == nil {
		return root, nil
	}
	if one := wanted[0]; len(wanted) == 1 && one.platform.Variant != AnyVariant {
		return onlyImage(ctx, src, children, one)
	}
	return subset(root, children, wanted, keepDigest)
}

// indexChildren gives the entries of an index.
func indexChildren(c contents) ([]child, error) {
	children := make([]child, len(c.manifests))
	for i, d := range c.manifests {
		if isIndex(d.MediaType) {
			return nil, fmt.Errorf("%w: entry %s is an index itself, of which no platform can be chosen; name it by its digest", ErrUnsupported, d.Digest)
		}
		children[i].Descriptor = d
	}
	return children, nil
}

// readPlatforms finds the platforms of children: from the descriptor, else from
// the config. The manifests that it needs are read with one call to src.
func readPlatforms(ctx context.Context, src contentReader, children []child) error {
	var unread []Descriptor
	asked := map[digest.Digest]bool{}
	for i := range children {
		c := &children[i]
		if c.read {
			continue
		}
		c.platform, c.hasPlatform = platformOf(c.Platform)
		if c.saysNoPlatform() && c.manifest.Content == nil && !asked[c.Digest] {
			asked[c.Digest] = true
			unread = append(unread, c.Descriptor)
		}
	}
	manifests, err := readLevel(ctx, src, unread)
	if err != nil {
		return err
	}
	for _, m := range manifests {
		for i := range children {
			if children[i].Digest == m.Descriptor.Digest {
				children[i].manifest = m
			}
		}
	}
	configs := map[digest.Digest]Descriptor{}
	configOf := make([]digest.Digest, len(children))
	for i, c := range children {
		if c.read || !c.saysNoPlatform() {
			continue
		}
		config, ok, err := imageConfig(c.manifest)
		if err != nil {
			return err
		}
		if ok {
			configs[config.Digest], configOf[i] = config, config.Digest
		}
	}
	platforms, err := configPlatforms(ctx, src, configs)
	if err != nil {
		return err
	}
	for i := range children {
		children[i].read = true
		if p := platforms[configOf[i]]; p != nil {
			children[i].fromConfig = p
			children[i].platform, children[i].hasPlatform = platformOf(p)
		}
	}
	return nil
}

// want is one wanted platform and the children that it matches.
type want struct {
	platform Platform
	children []int
}

// match finds the children for each platform. One that is not there is an error.
func match(root digest.Digest, children []child, platforms []Platform) ([]want, error) {
	var wanted []want
	for _, p := range platforms {
		p = p.normal()
		if slices.ContainsFunc(wanted, func(w want) bool { return w.platform == p }) {
			continue
		}
		w := want{platform: p}
		for i, c := range children {
			if c.hasPlatform && p.Matches(c.platform) {
				w.children = append(w.children, i)
			}
		}
		if len(w.children) == 0 {
			return nil, fmt.Errorf("%s: %w: it is for %s, not for %s", root, ErrNotFound, platformList(children), p)
		}
		wanted = append(wanted, w)
	}
	return wanted, nil
}

// platformList names the platforms of children for messages.
func platformList(children []child) string {
	var names []string
	for _, c := range children {
		if name := c.platform.String(); c.hasPlatform && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no platform"
	}
	return strings.Join(names, ", ")
}

// onlyImage gives the manifest of the one image that is wanted.
func onlyImage(ctx context.Context, src ManifestReader, children []child, w want) (Manifest, error) {
	var found []child
	for _, i := range w.children {
		found = append(found, children[i])
		if children[i].platform != found[0].platform {
			return Manifest{}, fmt.Errorf("%s is several images (%s); say which one", w.platform, platformList(found))
		}
	}
	c := found[0] // of several for the same platform the first, as every client does
	if c.manifest.Content == nil {
		manifests, err := readLevel(ctx, src, []Descriptor{c.Descriptor})
		if err != nil {
			return Manifest{}, err
		}
		c.manifest = manifests[0]
	}
	// What an index says of an entry is no part of the image.
	d := c.manifest.Descriptor
	c.manifest.Descriptor = Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	return c.manifest, nil
}

// subset gives root with the wanted children only.
func subset(root Manifest, children []child, wanted []want, keepDigest bool) (Manifest, error) {
	images := map[digest.Digest]bool{}
	kept := make([]bool, len(children))
	for _, w := range wanted {
		for _, i := range w.children {
			kept[i], images[children[i].Digest] = true, true
		}
	}
	all := true
	for i, c := range children {
		if attested := digest.Digest(c.Annotations[attestedAnnotation]); !c.hasPlatform && images[attested] {
			kept[i] = true
		}
		all = all && (kept[i] || !c.hasPlatform)
	}
	if all {
		return root, nil
	}
	if keepDigest {
		return Manifest{}, fmt.Errorf("%w: an index of some of its images only is another one, with another digest than %s; Amazon ECR takes no index whose images are not all there. Copy all platforms to keep the digest, or one, which keeps that of the image", ErrUnsupported, root.Descriptor.Digest)
	}
	index, err := indexedit.Parse(root.Content)
	if err != nil {
		return Manifest{}, fmt.Errorf("index %s: %w: %w", root.Descriptor.Digest, ErrIntegrity, err)
	}
	index.Keep(func(i int) bool { return i < len(kept) && kept[i] })
	return newManifest(index.Bytes(), root.Descriptor.MediaType), nil
}

// newManifest gives content its descriptor.
func newManifest(content []byte, mediaType string) Manifest {
	return Manifest{Content: content, Descriptor: Descriptor{
		MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content)),
	}}
}
