package imagetree

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Key names the platform of a child so that two of them can be compared.
func (c IndexEntry) Key() string {
	key := c.RunsOn.String()
	if c.Platform != nil && len(c.Platform.OSFeatures) > 0 {
		key += " " + strings.Join(slices.Sorted(slices.Values(c.Platform.OSFeatures)), ",")
	}
	return key
}

// Same reports whether two entries are the same image for the same platform.
func (c IndexEntry) Same(other IndexEntry) bool {
	if c.Digest != other.Digest || c.HasPlatform != other.HasPlatform {
		return false
	}
	if !c.HasPlatform {
		// One SOCI index may be that of several images.
		return reflect.DeepEqual(c.Platform, other.Platform) && EntrySubject(c.Descriptor) == EntrySubject(other.Descriptor)
	}
	return c.Key() == other.Key()
}

// AnnotationAttests is on the entry of an index that BuildKit adds for what it
// attests of another entry: the digest of that one. Its platform is "unknown":
// https://github.com/moby/buildkit/blob/v0.26.0/docs/attestations/attestation-storage.md.
const AnnotationAttests = "vnd.docker.reference.digest"

// ContentReader is what it takes to read the platform of an image.
type ContentReader interface {
	content.ManifestReader
	content.BlobReader
}

// IndexEntry is an entry of an index, or an image alone.
type IndexEntry struct {
	content.Descriptor
	RunsOn      content.Platform
	HasPlatform bool              // it is an image for RunsOn
	Manifest    content.Manifest  // if it had to be read
	FromConfig  *ocispec.Platform // if the descriptor has none
	read        bool              // by ReadPlatforms
}

// saysNoPlatform reports whether the descriptor leaves the platform to the config.
func (c IndexEntry) saysNoPlatform() bool {
	return (c.Platform == nil || c.Platform.OS == "") && c.Annotations[AnnotationAttests] == ""
}

// IndexEntries returns the entries of an index.
func IndexEntries(c content.ManifestContents) ([]IndexEntry, error) {
	children := make([]IndexEntry, len(c.Manifests))
	for i, d := range c.Manifests {
		if content.IsIndex(d.MediaType) {
			return nil, fmt.Errorf("%w: entry %s is an index itself, of which no platform can be chosen; name it by its digest", content.ErrUnsupported, d.Digest)
		}
		children[i].Descriptor = d
	}
	return children, nil
}

// ReadPlatforms finds the platforms of children: from the descriptor, else from
// the config. What is no image has none, whatever its descriptor says ([Artifacts]). The
// manifests that it needs are read with at most two calls to src.
func ReadPlatforms(ctx context.Context, src ContentReader, children []IndexEntry) error {
	var unread []content.Descriptor
	asked := map[digest.Digest]bool{}
	for i := range children {
		c := &children[i]
		if c.read {
			continue
		}
		c.RunsOn, c.HasPlatform = content.PlatformOf(c.Platform)
		if c.saysNoPlatform() && c.Manifest.Content == nil && !asked[c.Digest] {
			asked[c.Digest] = true
			unread = append(unread, c.Descriptor)
		}
	}
	manifests, err := ReadManifests(ctx, src, unread)
	if err != nil {
		return err
	}
	artifacts, err := artifactsOf(ctx, src, children)
	if err != nil {
		return err
	}
	for _, m := range manifests {
		for i := range children {
			if children[i].Digest == m.Descriptor.Digest {
				children[i].Manifest = m
			}
		}
	}
	configs := map[digest.Digest]content.Descriptor{}
	configOf := make([]digest.Digest, len(children))
	for i, c := range children {
		if c.read || !c.saysNoPlatform() {
			continue
		}
		config, ok, err := imageConfig(c.Manifest)
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
		if artifacts[children[i].Digest] != "" {
			children[i].HasPlatform = false
			continue
		}
		if p := platforms[configOf[i]]; p != nil {
			children[i].FromConfig = p
			children[i].RunsOn, children[i].HasPlatform = content.PlatformOf(p)
		}
	}
	return nil
}

// artifactsOf is [Artifacts] of the children that have a platform and were not read: of
// the others the config is looked for.
func artifactsOf(ctx context.Context, src content.ManifestReader, children []IndexEntry) (map[digest.Digest]string, error) {
	var entries []content.Descriptor
	read := map[digest.Digest]string{}
	for _, c := range children {
		switch {
		case c.Manifest.Content != nil:
			if t := ArtifactType(c.Manifest.Content); t != "" {
				read[c.Digest] = t
			}
		case c.HasPlatform:
			entries = append(entries, c.Descriptor)
		}
	}
	artifacts, err := Artifacts(ctx, src, entries)
	maps.Copy(read, artifacts)
	return read, err
}

// PlatformList names the platforms of children for messages.
func PlatformList(children []IndexEntry) string {
	var names []string
	for _, c := range children {
		if name := c.RunsOn.String(); c.HasPlatform && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no platform"
	}
	return strings.Join(names, ", ")
}
