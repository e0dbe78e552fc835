package cli

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// readAtOnce is how many images are asked for together where that is possible. Amazon ECR answers 100 at once.
const readAtOnce = 100

// readAhead returns source with the manifests of some images, where many are read together. It is nil where they are
// read one by one: what is wrong with one of them is an error of its copy.
func readAhead(ctx context.Context, source content.Source, images []taggedImage) content.Source {
	all, ok := source.(content.BatchResolver)
	lister, lists := source.(content.ReferrerLister)
	if !ok || !lists {
		return nil
	}
	references := make([]string, len(images))
	for i, image := range images {
		references[i] = string(image.digest)
	}
	roots, err := all.ResolveAll(ctx, references)
	if err != nil {
		return nil
	}
	known := knownManifests{source, lister, map[digest.Digest]content.Manifest{}}
	var children []content.Descriptor
	for i, m := range roots {
		if imagetree.CheckResolved(source, references[i], m) != nil {
			return nil
		}
		known.manifests[m.Descriptor.Digest] = m
		if c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType); err == nil {
			children = append(children, c.Manifests...)
		}
	}
	if files, local := source.(content.FileReader); local {
		return struct {
			knownManifests
			content.FileReader
		}{known, files}
	}
	read, err := imagetree.ReadManifests(ctx, source, known.without(children))
	if err != nil {
		return nil
	}
	for _, m := range read {
		known.manifests[m.Descriptor.Digest] = m
	}
	return known
}

// knownManifests is a source of which some manifests were read.
type knownManifests struct {
	content.Source
	content.ReferrerLister
	manifests map[digest.Digest]content.Manifest
}

// without returns those of the descriptors, each once, that are not known.
func (k knownManifests) without(descriptors []content.Descriptor) []content.Descriptor {
	seen := map[digest.Digest]bool{}
	return slices.DeleteFunc(slices.Clone(descriptors), func(d content.Descriptor) bool {
		_, known := k.manifests[d.Digest]
		known = known || seen[d.Digest]
		seen[d.Digest] = true
		return known
	})
}

// Resolve asks for what is not known.
func (k knownManifests) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	if m, ok := k.manifests[digest.Digest(reference)]; ok {
		return m, nil
	}
	return k.Source.Resolve(ctx, reference)
}

// Manifests asks for what is not known.
func (k knownManifests) Manifests(ctx context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	var unknown []content.Descriptor
	manifests := make([]content.Manifest, len(descriptors))
	var places []int
	for i, d := range descriptors {
		if m, ok := k.manifests[d.Digest]; ok && content.VerifyManifest(m, d) == nil {
			manifests[i] = m
			continue
		}
		unknown, places = append(unknown, d), append(places, i)
	}
	if len(unknown) == 0 {
		return manifests, nil
	}
	read, err := k.Source.Manifests(ctx, unknown)
	for i, m := range read {
		manifests[places[i]] = m
	}
	return manifests, err
}

// FindTags asks the source.
func (k knownManifests) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	if finder, ok := k.Source.(content.TagFinder); ok {
		return finder.FindTags(ctx, tags)
	}
	return imagetree.ResolveTags(ctx, tags, k.Source.Resolve)
}
