package registry

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// PutImage stores a manifest, byte for byte, and a tag on it. Errors: RepositoryNotFound,
// ImageAlreadyExists (this manifest has this tag), ImageDigestDoesNotMatch, ImageTagAlreadyExists
// (immutable tag), LayersNotFound, ReferencedImagesNotFound, LimitExceeded, InvalidParameter.
func (r *Registry) PutImage(_ context.Context, in *ecr.PutImageInput) (*ecr.PutImageOutput, error) {
	if in.ImageManifest == nil {
		return nil, invalidParameter("ImageManifest", "must not be null")
	}
	m, err := parseManifest([]byte(*in.ImageManifest), aws.ToString(in.ImageManifestMediaType), r.store.limits.MaxManifest, r.store.quirks)
	if err != nil {
		return nil, err
	}
	tag := aws.ToString(in.ImageTag)
	if in.ImageTag != nil {
		if err := checkTag(tag); err != nil {
			return nil, err
		}
	}
	computed := Digest([]byte(*in.ImageManifest))
	if in.ImageDigest != nil && *in.ImageDigest != computed {
		return nil, &types.ImageDigestDoesNotMatchException{Message: aws.String(fmt.Sprintf(
			"The specified digest '%s' does not match the computed digest '%s'", *in.ImageDigest, computed))}
	}
	err = r.update(in.RepositoryName, func(repo *repository) error {
		rec, err := repo.image(computed)
		if err != nil {
			return err
		}
		archived := rec != nil && !rec.active(r.now())
		if err := repo.checkTagFree(tag, computed, archived); err != nil {
			return err
		}
		switch {
		case archived:
			if err := repo.pushAgain(rec); err != nil {
				return err
			}
		case rec == nil:
			if rec, err = repo.newImage(m, computed, *in.ImageManifest); err != nil {
				return err
			}
			if err := repo.startSigning(rec); err != nil {
				return err
			}
			if err := repo.startScan(rec, rec.PushedAt); err != nil {
				return err
			}
		case tag == "":
			return r.imageAlreadyExists(repo.record.Name, computed, "null")
		}
		if tag != "" {
			if err := repo.setTag(rec, tag); err != nil {
				return err
			}
		}
		if len(rec.Tags) > r.store.limits.TagsPerImage {
			return limitExceeded("The image with digest '%s' in the repository with name '%s' already has the maximum allowed number of tags, %d", computed, repo.record.Name, r.store.limits.TagsPerImage)
		}
		if err := repo.startReplication(rec, tag); err != nil {
			return err
		}
		return repo.saveImage(rec)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageOutput{Image: &types.Image{
		ImageId:                &types.ImageIdentifier{ImageDigest: aws.String(computed), ImageTag: in.ImageTag},
		ImageManifest:          in.ImageManifest,
		ImageManifestMediaType: aws.String(m.mediaType),
		RegistryId:             aws.String(r.account),
		RepositoryName:         in.RepositoryName,
	}}, nil
}

func (r *Registry) imageAlreadyExists(repository, digest, tag string) error {
	return &types.ImageAlreadyExistsException{Message: aws.String(fmt.Sprintf(
		"Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'", digest, tag, repository, r.account))}
}

// checkTagFree refuses a tag that the image has already, unless it is archived, or that another has and
// must keep.
func (repo *repository) checkTagFree(tag, digest string, archived bool) error {
	holder := string(repo.tags().Get([]byte(tag)))
	switch {
	case tag == "" || holder == "" || archived && holder == digest:
		return nil
	case holder == digest:
		return repo.registry.imageAlreadyExists(repo.record.Name, digest, tag)
	case repo.record.mutable(tag):
		return nil
	default:
		return repo.immutableTag(tag)
	}
}

// checkSizes refuses a manifest that declares other sizes than its parts have. All of them are in the repository.
func (repo *repository) checkSizes(m *manifest) error {
	for _, d := range m.parts {
		var size int64
		layer, err := repo.layer(d.Digest.String())
		if err != nil {
			return err
		}
		if layer != nil && m.children == nil {
			size = layer.Size
		} else {
			child, err := repo.image(d.Digest.String())
			if err != nil || child == nil {
				return err
			}
			size = child.ManifestSize
		}
		if size != d.Size {
			return invalidManifest("%s has %d bytes, not %d", d.Digest, size, d.Size)
		}
	}
	return nil
}

// pushAgain restores an archived image at once: "when you push an image that is currently archived, it is immediately
// restored" (user guide, restoring an image).
func (repo *repository) pushAgain(rec *imageRecord) error {
	if _, err := repo.checkParts(rec.Layers, rec.Children); err != nil {
		return err
	}
	rec.Storage, rec.ActivatedAt = storageRestored, repo.registry.now()
	return repo.startScan(rec, rec.ActivatedAt)
}

// newImage stores a manifest whose layers and children are all there.
func (repo *repository) newImage(m *manifest, digest, data string) (*imageRecord, error) {
	r := repo.registry
	if err := countUp(repo.images(), 1); err != nil {
		return nil, err
	}
	if repo.images().Sequence() > uint64(r.store.limits.ImagesPerRepository) {
		return nil, limitExceeded("The repository with name '%s' in the registry with id '%s' already has the maximum allowed number of images, %d", repo.record.Name, r.account, r.store.limits.ImagesPerRepository)
	}
	largest, err := repo.checkParts(m.layers, m.children)
	if err != nil {
		return nil, err
	}
	if !r.store.quirks.AnySize {
		if err := repo.checkSizes(m); err != nil {
			return nil, err
		}
	}
	size := max(m.size, largest)
	rec := &imageRecord{
		Digest: digest, MediaType: m.mediaType, ConfigType: m.configType, ArtifactType: m.artifactType, Subject: m.subject, Annotations: m.annotations,
		ManifestSize: int64(len(data)), Size: size, Layers: m.layers, Children: m.children, PushedAt: r.now(),
	}
	for _, used := range rec.uses() {
		if err := repo.uses().Put(pairKey(used, digest), nil); err != nil {
			return nil, err
		}
	}
	if m.subject != "" {
		if err := repo.referrers().Put(pairKey(m.subject, digest), nil); err != nil {
			return nil, err
		}
	}
	return rec, repo.manifests().Put([]byte(digest), []byte(data))
}
