package localecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// A Repository stores layers and manifests in a repository of the default registry without a call: quotas, faults and the
// audit log see nothing of it, but Amazon ECR's rules hold, and errors wrap the exceptions of the AWS SDK
// (github.com/aws/aws-sdk-go-v2/service/ecr/types). [Server.PutImage] stores an image of go-containerregistry.
type Repository struct {
	registry *registry.Registry
	name     string
}

// Repository returns the repository of a name, which it creates if it does not exist.
func (s *Server) Repository(ctx context.Context, name string) (*Repository, error) {
	r := &Repository{registry: s.store.Registry(s.account, DefaultRegion), name: name}
	_, err := r.registry.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &name})
	var exists *types.RepositoryAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return nil, fmt.Errorf("local ECR: repository %s: %w", name, err)
	}
	return r, nil
}

// maxLayersChecked is how many layers one BatchCheckLayerAvailability may name (API reference).
const maxLayersChecked = 100

// MissingLayers returns those of the digests whose layers are not in the repository.
func (r *Repository) MissingLayers(ctx context.Context, digests []string) (missing []string, err error) {
	for batch := range slices.Chunk(digests, maxLayersChecked) {
		out, err := r.registry.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &r.name, LayerDigests: batch})
		if err != nil {
			return nil, fmt.Errorf("layers of %s: %w", r.name, err)
		}
		available := map[string]bool{}
		for _, l := range out.Layers {
			available[aws.ToString(l.LayerDigest)] = l.LayerAvailability == types.LayerAvailabilityAvailable
		}
		for _, digest := range batch {
			if !available[digest] {
				missing = append(missing, digest)
			}
		}
	}
	return missing, nil
}

// PutLayer stores a layer, or the config of an image, unless the repository has it. It reads body to its end, and checks
// the digest.
func (r *Repository) PutLayer(ctx context.Context, digest string, body io.Reader) error {
	err := r.putLayer(ctx, digest, body)
	var exists *types.LayerAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("layer %s: %w", digest, err)
	}
	return nil
}

func (r *Repository) putLayer(ctx context.Context, digest string, body io.Reader) error {
	started, err := r.registry.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: &r.name})
	if err != nil {
		return err
	}
	_, err = r.registry.AppendUpload(ctx, r.name, *started.UploadId, -1, body, false)
	if err == nil {
		_, err = r.registry.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{RepositoryName: &r.name, UploadId: started.UploadId, LayerDigests: []string{digest}})
	}
	var exists *types.LayerAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		err = errors.Join(err, r.registry.CancelUpload(ctx, r.name, *started.UploadId))
	}
	return err
}

// PutManifest stores the manifest of an image or index whose layers and images are in the repository, and puts the tag on
// it, unless tag is "". An image that already has the tag is no error.
func (r *Repository) PutManifest(ctx context.Context, tag, mediaType string, manifest []byte) error {
	in := &ecr.PutImageInput{RepositoryName: &r.name, ImageManifest: aws.String(string(manifest)), ImageManifestMediaType: &mediaType}
	if tag != "" {
		in.ImageTag = &tag
	}
	_, err := r.registry.PutImage(ctx, in)
	var exists *types.ImageAlreadyExistsException
	if errors.As(err, &exists) {
		return nil
	}
	return err
}
