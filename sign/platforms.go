package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxIndexDepth bounds how deep indexes may be nested.
	maxIndexDepth = 8
	// maxIndexImages bounds the images of one index that are verified.
	maxIndexImages = 1000
	// platformsAtOnce is how many images of an index are verified at once.
	platformsAtOnce = 4
)

// verifyPlatforms verifies the images of an index, which itself has been verified.
// The first of them that is not verified makes the status and the error.
func (v checker) verifyPlatforms(ctx context.Context, m content.Manifest, result Verification, depth int) (Verification, error) {
	entries, err := imagesOf(m.Content)
	if err != nil {
		return Verification{}, fmt.Errorf("%s@%s: %w", v.src, m.Descriptor.Digest, err)
	}
	if len(entries) == 0 {
		return result, nil
	}
	if depth >= maxIndexDepth {
		return Verification{}, fmt.Errorf("%s: %w: indexes nested more than %d deep", v.src, content.ErrUnsupported, maxIndexDepth)
	}
	result.Platforms = make([]Verification, len(entries))
	verdicts := make([]error, len(entries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(platformsAtOnce)
	for i, d := range entries {
		group.Go(func() error {
			verification, err := v.verifyEntry(ctx, d, depth+1)
			if err != nil && !errors.Is(err, ErrUnsigned) && !errors.Is(err, ErrUntrusted) {
				return err
			}
			result.Platforms[i], verdicts[i] = verification, err
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Verification{}, err
	}
	for i, err := range verdicts {
		if err != nil {
			result.Status = result.Platforms[i].Status
			return result, fmt.Errorf("%simage of the index: %w", platformName(entries[i]), err)
		}
	}
	return result, nil
}

// verifyEntry verifies an entry of an index. Signatures are over its digest, so only
// an index in an index has to be read.
func (v checker) verifyEntry(ctx context.Context, d content.Descriptor, depth int) (Verification, error) {
	m := content.Manifest{Descriptor: d}
	if isIndex(d.MediaType) {
		manifests, problems, err := readManifests(ctx, v.src, []content.Descriptor{d})
		if err != nil {
			return Verification{}, err
		}
		switch problem := problems[0]; {
		case errors.Is(problem, content.ErrNotFound):
			return Verification{}, fmt.Errorf("%s@%s: the index lists it, but it is missing: %w", v.src, d.Digest, problem)
		case problem != nil:
			return Verification{}, fmt.Errorf("%s@%s: %w: %w", v.src, d.Digest, content.ErrIntegrity, problem)
		}
		m.Content = manifests[0].Content
	}
	return v.verify(ctx, m, depth)
}

// platformName is "linux/arm64 " for a descriptor that says so.
func platformName(d content.Descriptor) string {
	if d.Platform == nil {
		return ""
	}
	p := content.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant, OSVersion: d.Platform.OSVersion}
	return clean(p.String()) + " "
}

// imagesOf returns the entries of an index, without attestations of BuildKit; none if
// content is that of an image, or was not read.
func imagesOf(data []byte) ([]content.Descriptor, error) {
	if data == nil {
		return nil, nil
	}
	var doc struct {
		MediaType      string
		Manifests      []content.Descriptor
		Config, Layers json.RawMessage
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%w: not a manifest: %w", content.ErrIntegrity, err)
	}
	// A document that is an image to one reader and an index to another is an
	// attack: https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh.
	if doc.Manifests != nil && (doc.Config != nil || doc.Layers != nil) || doc.Manifests == nil && isIndex(doc.MediaType) {
		return nil, fmt.Errorf("%w: neither an image manifest nor an index", content.ErrIntegrity)
	}
	var images []content.Descriptor
	for _, d := range distinct(doc.Manifests) {
		if _, err := parseDigest(string(d.Digest)); err != nil {
			return nil, fmt.Errorf("%w: an entry of the index: %w", content.ErrIntegrity, err)
		}
		if d.Size < 0 || d.Size > content.MaxManifestSize {
			return nil, fmt.Errorf("%w: the index names a manifest %s of %d bytes", content.ErrUnsupported, d.Digest, d.Size)
		}
		if !isBuildKitAttestation(d) {
			images = append(images, d)
		}
	}
	if len(images) > maxIndexImages {
		return nil, fmt.Errorf("%w: an index of %d images; at most %d are verified", content.ErrUnsupported, len(images), maxIndexImages)
	}
	return images, nil
}

// isBuildKitAttestation tells an entry that no machine takes for an image to run:
// https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md.
func isBuildKitAttestation(d content.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" &&
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

// isIndex tells the media types of indexes.
func isIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == "application/vnd.docker.distribution.manifest.list.v2+json"
}
