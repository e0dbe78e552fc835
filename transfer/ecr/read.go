package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unique"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Resolve finds the image by tag or digest; "" is an error.
func (e *Repository) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	if reference == "" {
		return content.Manifest{}, fmt.Errorf("%s: name the image by a tag or digest", e)
	}
	id := types.ImageIdentifier{ImageTag: &reference}
	if _, err := digest.Parse(reference); err == nil {
		id = types.ImageIdentifier{ImageDigest: &reference}
	}
	images, err := e.images(ctx, "image "+reference, []types.ImageIdentifier{id})
	if err != nil {
		return content.Manifest{}, err
	}
	if len(images) != 1 {
		return content.Manifest{}, fmt.Errorf("%s: asked for image %s, got %d images", e, reference, len(images))
	}
	return images[0].Manifest, nil
}

// ResolveAll finds several images with one call for each 100.
func (e *Repository) ResolveAll(ctx context.Context, references []string) ([]content.Manifest, error) {
	found := map[string]content.Manifest{} // by tag and by digest
	each := slices.Compact(slices.Sorted(slices.Values(references)))
	room := e.room(len(each))
	for chunk := range slices.Chunk(each, batchSize) {
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, reference := range chunk {
			if _, err := digest.Parse(reference); err == nil {
				ids[i].ImageDigest = &reference
			} else {
				ids[i].ImageTag = &reference
			}
		}
		images, err := e.images(ctx, "images", ids)
		if err == nil {
			err = room.take(images)
		}
		if err != nil {
			return nil, err
		}
		for _, m := range images {
			found[string(m.Descriptor.Digest)] = m.Manifest
			if m.Tag != "" {
				found[m.Tag] = m.Manifest
			}
		}
	}
	manifests := make([]content.Manifest, len(references))
	for i, reference := range references {
		m, ok := found[reference]
		if !ok {
			return nil, &content.ImageNotFoundError{Place: e.String(), Image: reference}
		}
		manifests[i] = m
	}
	return manifests, nil
}

// Manifests gets the manifests with one call for each 100.
func (e *Repository) Manifests(ctx context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	found, room := map[digest.Digest]content.Manifest{}, e.room(len(descriptors))
	for chunk := range slices.Chunk(descriptors, batchSize) {
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, d := range chunk {
			ids[i].ImageDigest = aws.String(string(d.Digest))
		}
		images, err := e.images(ctx, "manifests", ids)
		if err == nil {
			err = room.take(images)
		}
		if err != nil {
			return nil, err
		}
		for _, m := range images {
			found[m.Descriptor.Digest] = m.Manifest
		}
	}
	manifests := make([]content.Manifest, len(descriptors))
	for i, d := range descriptors {
		m, ok := found[d.Digest]
		if !ok {
			return nil, fmt.Errorf("%s: manifest %s: %w", e, d.Digest, content.ErrNotFound)
		}
		manifests[i] = m
	}
	return manifests, nil
}

// FindTags finds several images with one call for each 100.
func (e *Repository) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	found, room := map[string]content.Manifest{}, e.room(len(tags))
	for chunk := range slices.Chunk(tags, batchSize) {
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, tag := range chunk {
			ids[i].ImageTag = &tag
		}
		images, failures, err := e.batchGet(ctx, ids)
		if e.absent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, e.fail("images", err)
		}
		if err := room.take(images); err != nil {
			return nil, err
		}
		answered := map[string]bool{}
		for _, f := range failures {
			if err := e.imageFailure(f); !errors.Is(err, content.ErrNotFound) {
				return nil, err
			}
			answered[imageName(f.ImageId)] = true
		}
		for _, m := range images {
			found[m.Tag], answered[m.Tag] = m.Manifest, true
		}
		for _, tag := range chunk {
			if !answered[tag] {
				return nil, fmt.Errorf("%s: BatchGetImage answered nothing about tag %s", e, tag)
			}
		}
	}
	return found, nil
}

// images calls BatchGetImage; a failure of one image is an error.
func (e *Repository) images(ctx context.Context, object string, ids []types.ImageIdentifier) ([]content.TaggedManifest, error) {
	images, failures, err := e.batchGet(ctx, ids)
	if err != nil {
		return nil, e.fail(object, err)
	}
	if len(failures) > 0 {
		return nil, e.imageFailure(failures[0])
	}
	return images, nil
}

// batchGet calls BatchGetImage.
func (e *Repository) batchGet(ctx context.Context, ids []types.ImageIdentifier) ([]content.TaggedManifest, []types.ImageFailure, error) {
	out, err := e.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RegistryId:         &e.registry.Account,
		RepositoryName:     &e.repository,
		ImageIds:           ids,
		AcceptedMediaTypes: content.ManifestMediaTypes(),
	})
	if err != nil {
		return nil, nil, err
	}
	manifests := make([]content.TaggedManifest, len(out.Images))
	for i, image := range out.Images {
		if image.ImageId == nil {
			return nil, nil, errors.New("BatchGetImage answered an image without its digest")
		}
		// Cloned: a string of the SDK keeps others of the same answer.
		data := []byte(aws.ToString(image.ImageManifest))
		manifests[i] = content.TaggedManifest{Tag: strings.Clone(aws.ToString(image.ImageId.ImageTag)), Manifest: content.Manifest{Content: data, Descriptor: content.Descriptor{
			MediaType: unique.Make(aws.ToString(image.ImageManifestMediaType)).Value(),
			Digest:    digest.Digest(strings.Clone(aws.ToString(image.ImageId.ImageDigest))),
			Size:      int64(len(data)),
		}}}
	}
	return manifests, out.Failures, nil
}

// imageFailure makes the failure of one image an error.
func (e *Repository) imageFailure(f types.ImageFailure) error {
	name := imageName(f.ImageId)
	if f.FailureCode == types.ImageFailureCodeImageNotFound {
		return &content.ImageNotFoundError{Place: e.String(), Image: name}
	}
	return fmt.Errorf("%s: image %s: %s: %s", e, name, f.FailureCode, auth.Redact(aws.ToString(f.FailureReason)))
}

// imageName is the tag or digest by which an image was asked for.
func imageName(id *types.ImageIdentifier) string {
	if id == nil {
		return ""
	}
	return cmp.Or(aws.ToString(id.ImageTag), aws.ToString(id.ImageDigest))
}

// HasImage asks with one call for each 100 tags.
func (e *Repository) HasImage(ctx context.Context, d content.Descriptor, tags []string) (bool, error) {
	wanted := make([]types.ImageIdentifier, 0, max(len(tags), 1))
	for _, tag := range tags {
		wanted = append(wanted, types.ImageIdentifier{ImageDigest: aws.String(string(d.Digest)), ImageTag: &tag})
	}
	if len(tags) == 0 {
		wanted = append(wanted, types.ImageIdentifier{ImageDigest: aws.String(string(d.Digest))})
	}
	for ids := range slices.Chunk(wanted, batchSize) {
		out, err := e.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{
			RegistryId:         &e.registry.Account,
			RepositoryName:     &e.repository,
			ImageIds:           ids,
			AcceptedMediaTypes: content.ManifestMediaTypes(),
		})
		if e.absent(err) {
			return false, nil
		}
		if err != nil {
			return false, e.fail("image "+string(d.Digest), err)
		}
		named := map[string]bool{} // tags
		for _, image := range out.Images {
			if id := image.ImageId; id != nil && aws.ToString(id.ImageDigest) == string(d.Digest) {
				named[aws.ToString(id.ImageTag)] = true
			}
		}
		for _, id := range ids {
			if !named[aws.ToString(id.ImageTag)] {
				return false, nil
			}
		}
	}
	return true, nil
}
