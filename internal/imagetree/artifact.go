package imagetree

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// What an entry of an index is, is decided here and nowhere else, from the manifest:
// a container image is one whose config has the media type of an image config. That is
// what docker and containerd go by before they run one, so neither an artifactType nor
// an annotation hides an image from a scan or a signature.

const (
	// AnnotationSOCI is on the entry of an index for a SOCI index of version 2: the
	// digest of the image that it belongs to. Such an entry has the image's platform:
	// https://github.com/awslabs/soci-snapshotter/blob/v0.16.0/docs/soci-index-manifest-v2.md.
	AnnotationSOCI = "com.amazon.soci.image-manifest-digest"
)

// IsImageConfig reports whether a media type is that of the config of a container image.
func IsImageConfig(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageConfig || mediaType == content.MediaTypeDockerConfig
}

// ArtifactType returns the type of a manifest that is not a container image: its
// artifactType, or else the media type of its config. It is "" of an image and an index.
func ArtifactType(manifest []byte) string {
	var doc struct {
		ArtifactType string
		Config       *struct{ MediaType string }
	}
	if json.Unmarshal(manifest, &doc) != nil || doc.Config == nil || IsImageConfig(doc.Config.MediaType) {
		return ""
	}
	if doc.ArtifactType != "" {
		return doc.ArtifactType
	}
	return doc.Config.MediaType
}

// EntrySubject returns the image that an entry of an index is about: of an attestation of
// BuildKit, or a SOCI index. It is "" of any other.
func EntrySubject(entry content.Descriptor) digest.Digest {
	if d := entry.Annotations[AnnotationAttests]; d != "" {
		return digest.Digest(d)
	}
	return digest.Digest(entry.Annotations[AnnotationSOCI])
}

// Artifacts returns the types of those entries of an index that are no images, by
// digest. An entry that has a platform of its own is an image unless it has an artifact
// type; the manifests of the others are read with one call to src. One that is missing
// counts as an image.
func Artifacts(ctx context.Context, src content.ManifestReader, entries []content.Descriptor) (map[digest.Digest]string, error) {
	shared := map[string]digest.Digest{}
	doubtful := map[digest.Digest]bool{}
	for _, d := range entries {
		p, ok := content.PlatformOf(d.Platform)
		key := IndexEntry{Descriptor: d, RunsOn: p}.Key()
		other, known := shared[key]
		switch {
		case content.IsIndex(d.MediaType):
			continue
		case !ok, d.ArtifactType != "" && !IsImageConfig(d.ArtifactType):
			doubtful[d.Digest] = d.Platform == nil || d.Platform.OS != "unknown"
		case known && other != d.Digest:
			doubtful[d.Digest], doubtful[other] = true, true
		}
		if ok && !known {
			shared[key] = d.Digest
		}
	}
	var unread []content.Descriptor
	for _, d := range entries {
		if doubtful[d.Digest] {
			if err := content.CheckDescriptor(d); err != nil {
				return nil, err
			}
			doubtful[d.Digest] = false
			unread = append(unread, d)
		}
	}
	manifests, err := ReadPresent(ctx, src, unread)
	if err != nil {
		return nil, err
	}
	types := map[digest.Digest]string{}
	for i, m := range manifests {
		if t := ArtifactType(m.Content); t != "" {
			types[unread[i].Digest] = t
		}
	}
	return types, nil
}

// HasDescriptor reports whether a list has a descriptor with the digest of d.
func HasDescriptor(list []content.Descriptor, d content.Descriptor) bool {
	return slices.ContainsFunc(list, func(other content.Descriptor) bool { return other.Digest == d.Digest })
}

// ReadPresent is [ReadManifests], where the manifest of one that is missing is empty.
func ReadPresent(ctx context.Context, src content.ManifestReader, descriptors []content.Descriptor) ([]content.Manifest, error) {
	manifests, err := ReadManifests(ctx, src, descriptors)
	if !errors.Is(err, content.ErrNotFound) {
		return manifests, err
	}
	manifests = make([]content.Manifest, len(descriptors))
	for i, d := range descriptors {
		one, err := ReadManifests(ctx, src, []content.Descriptor{d})
		switch {
		case err == nil:
			manifests[i] = one[0]
		case !errors.Is(err, content.ErrNotFound):
			return nil, err
		}
	}
	return manifests, nil
}
