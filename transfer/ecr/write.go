package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// MissingBlobs asks with one call for each 100 blobs. It makes no call if [Repository.Images] has just found that the repository does not
// exist.
func (e *Repository) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	if e.creation.takeUnlisted() {
		return blobs, nil
	}
	available := map[string]bool{}
	for chunk := range slices.Chunk(blobs, batchSize) {
		digests := make([]string, len(chunk))
		for i, d := range chunk {
			digests[i] = string(d.Digest)
		}
		out, err := e.api.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{
			RegistryId:     &e.registry.Account,
			RepositoryName: &e.repository,
			LayerDigests:   digests,
		})
		if e.absent(err) {
			return blobs, nil
		}
		if err != nil {
			return nil, e.fail("layers", err)
		}
		e.creation.set(false)
		for _, layer := range out.Layers {
			if layer.LayerAvailability == types.LayerAvailabilityAvailable {
				available[aws.ToString(layer.LayerDigest)] = true
			}
		}
	}
	var missing []content.Descriptor
	for _, d := range blobs {
		if !available[string(d.Digest)] {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// BlobsAtOnce returns how many digests Amazon ECR takes in one BatchCheckLayerAvailability.
func (e *Repository) BlobsAtOnce() int { return batchSize }

// PutBlob uploads a layer or config as [Repository.UploadBlob] does. Up to 10 MiB are read into memory unless r is a
// file or other content that can be read again.
func (e *Repository) PutBlob(ctx context.Context, d content.Descriptor, r io.Reader) error {
	data, err := parts.FromReader(r, d.Size)
	if err != nil {
		return fmt.Errorf("%s: layer %s: %w", e, d.Digest, err)
	}
	return e.UploadBlob(ctx, d, data, parts.Single())
}

// PutManifest stores a manifest without a tag.
func (e *Repository) PutManifest(ctx context.Context, m content.Manifest) error {
	return e.PutTagged(ctx, m, "")
}

// PutTagged stores a manifest with one call. That the repository has this
// manifest under this tag already is success, also where tags are immutable.
func (e *Repository) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	_, err := e.SetTag(ctx, m, tag)
	return err
}

// SetTag is PutTagged, and reports whether it changed anything.
func (e *Repository) SetTag(ctx context.Context, m content.Manifest, tag string) (changed bool, err error) {
	if err := e.createAbsent(ctx); err != nil {
		return false, err
	}
	object := "image " + string(m.Descriptor.Digest)
	input := &ecr.PutImageInput{
		RegistryId:             &e.registry.Account,
		RepositoryName:         &e.repository,
		ImageManifestMediaType: &m.Descriptor.MediaType,
		ImageDigest:            aws.String(string(m.Descriptor.Digest)),
	}
	if tag != "" {
		object += " (tag " + tag + ")"
		input.ImageTag = &tag
	}
	out, err := creating(ctx, e, e.putImage(m.Content), input)
	var (
		exists    *types.ImageAlreadyExistsException
		immutable *types.ImageTagAlreadyExistsException
	)
	switch {
	case errors.As(err, &exists):
		return false, nil
	case errors.As(err, &immutable):
		return false, e.conflict(ctx, tag, m.Descriptor.Digest)
	case err != nil:
		return false, e.fail(object, err)
	case out.Image == nil || out.Image.ImageId == nil || aws.ToString(out.Image.ImageId.ImageDigest) != string(m.Descriptor.Digest):
		return false, fmt.Errorf("%s: %w: %s was stored under another digest", e, content.ErrIntegrity, object)
	}
	return true, nil
}

// largeManifest is from how many bytes on a manifest is not copied to be sent.
const largeManifest = 64 << 10

// putImage returns the call that stores a manifest.
func (e *Repository) putImage(manifest []byte) func(context.Context, *ecr.PutImageInput, ...func(*ecr.Options)) (*ecr.PutImageOutput, error) {
	return func(ctx context.Context, in *ecr.PutImageInput, options ...func(*ecr.Options)) (*ecr.PutImageOutput, error) {
		if len(manifest) < largeManifest || !utf8.Valid(manifest) {
			in.ImageManifest = aws.String(string(manifest))
			return e.api.PutImage(ctx, in, options...)
		}
		members := map[string]string{"registryId": *in.RegistryId, "repositoryName": *in.RepositoryName, "imageManifestMediaType": *in.ImageManifestMediaType, "imageDigest": *in.ImageDigest}
		if in.ImageTag != nil {
			members["imageTag"] = *in.ImageTag
		}
		body, err := newImageBody(manifest, members)
		if err != nil {
			return nil, err
		}
		in.ImageManifest = new("") // of which the generated client makes a body that is not sent
		return e.api.PutImage(ctx, in, append(options, func(o *ecr.Options) { o.APIOptions = append(o.APIOptions, withBody("ImageBody", body)) })...)
	}
}

// conflict looks up what an immutable tag names: the same image is no conflict.
func (e *Repository) conflict(ctx context.Context, tag string, want digest.Digest) error {
	// If it cannot be looked up, the conflict is still the error to report.
	have, _ := e.Resolve(ctx, tag)
	if have.Descriptor.Digest == want {
		return nil
	}
	return &content.ConflictError{Image: e.String() + ":" + tag, Have: have.Descriptor.Digest, Want: want}
}
