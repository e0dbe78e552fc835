package localecr

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// PutImage stores an image in a repository of the default registry, which it creates if it does not exist, and puts the
// tag on it, unless tag is "". Layers that the repository already has are not read; foreign layers stay where
// their URLs lead. No call is made: quotas, faults and the audit log see nothing of it, but Amazon ECR's rules
// hold, and errors wrap the exceptions of the AWS SDK (github.com/aws/aws-sdk-go-v2/service/ecr/types). An image that
// already has the tag is no error.
//
// Packages random, crane, tarball and layout of go-containerregistry make images or read them from files. An image with
// a subject becomes a referrer.
func (s *Server) PutImage(ctx context.Context, repository, tag string, image v1.Image) error {
	return s.put(ctx, repository, func(p *putter) error { return p.image(ctx, tag, image) })
}

// PutIndex stores an index with its images and indexes, as PutImage stores an image. The tag is the index's alone.
func (s *Server) PutIndex(ctx context.Context, repository, tag string, index v1.ImageIndex) error {
	return s.put(ctx, repository, func(p *putter) error { return p.index(ctx, tag, index) })
}

func (s *Server) put(ctx context.Context, repository string, f func(*putter) error) error {
	r, err := s.Repository(ctx, repository)
	if err != nil {
		return err
	}
	if err := f(&putter{r}); err != nil {
		return fmt.Errorf("local ECR: repository %s: %w", repository, err)
	}
	return nil
}

// A putter stores images of go-containerregistry in one repository.
type putter struct{ *Repository }

func (p *putter) index(ctx context.Context, tag string, index v1.ImageIndex) error {
	doc, err := index.IndexManifest()
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	for _, d := range doc.Manifests {
		var err error
		switch {
		case d.MediaType.IsImage():
			err = withChild(d.Digest, index.Image, func(child v1.Image) error { return p.image(ctx, "", child) })
		case d.MediaType.IsIndex():
			err = withChild(d.Digest, index.ImageIndex, func(child v1.ImageIndex) error { return p.index(ctx, "", child) })
		default:
			err = fmt.Errorf("%s in an index is neither an image nor an index: %s", d.Digest, d.MediaType)
		}
		if err != nil {
			return err
		}
	}
	return p.manifest(ctx, tag, index)
}

// withChild reads a child of an index and stores it.
func withChild[T any](digest v1.Hash, read func(v1.Hash) (T, error), store func(T) error) error {
	child, err := read(digest)
	if err != nil {
		return fmt.Errorf("%s in an index: %w", digest, err)
	}
	return store(child)
}

func (p *putter) image(ctx context.Context, tag string, image v1.Image) error {
	doc, err := image.Manifest()
	if err != nil {
		return fmt.Errorf("manifest of an image: %w", err)
	}
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("layers of an image: %w", err)
	}
	config, err := partial.ConfigLayer(image)
	if err != nil {
		return fmt.Errorf("config of an image: %w", err)
	}
	for i, layer := range append(layers, config) {
		if i < len(doc.Layers) && !doc.Layers[i].MediaType.IsDistributable() && len(doc.Layers[i].URLs) > 0 {
			continue
		}
		if err := p.layer(ctx, layer); err != nil {
			return err
		}
	}
	return p.manifest(ctx, tag, image)
}

// manifest stores the manifest of an image or index whose parts are stored.
func (p *putter) manifest(ctx context.Context, tag string, m interface {
	partial.WithRawManifest
	partial.Describable
}) error {
	data, err := m.RawManifest()
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	mediaType, err := m.MediaType()
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return p.PutManifest(ctx, tag, string(mediaType), data)
}

// layer stores a layer, or an image's config, unless the repository has it.
func (p *putter) layer(ctx context.Context, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	missing, err := p.MissingLayers(ctx, []string{digest.String()})
	if err != nil || len(missing) == 0 {
		return err
	}
	body, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("layer %s: %w", digest, err)
	}
	return errors.Join(p.PutLayer(ctx, digest.String(), body), body.Close())
}
