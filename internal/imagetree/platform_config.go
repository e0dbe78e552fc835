package imagetree

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxConfigSize bounds the config of an image, which is held in memory.
const maxConfigSize = 8 << 20

// imageConfig returns the config of an image; false if m is an artifact.
func imageConfig(m content.Manifest) (config content.Descriptor, ok bool, err error) {
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return config, false, fmt.Errorf("manifest %s: %w", m.Descriptor.Digest, err)
	}
	if len(c.Blobs) == 0 {
		return config, false, nil
	}
	config = c.Blobs[0]
	if !IsImageConfig(config.MediaType) {
		return config, false, nil
	}
	if config.Size > maxConfigSize {
		return config, false, fmt.Errorf("%w: config %s has %d bytes; at most %d are read", content.ErrUnsupported, config.Digest, config.Size, maxConfigSize)
	}
	return config, true, nil
}

// configsAtOnce is how many configs are read at the same time.
const configsAtOnce = 8

// configPlatforms reads the platforms that configs have; nil means none.
func configPlatforms(ctx context.Context, src content.BlobReader, configs map[digest.Digest]content.Descriptor) (map[digest.Digest]*ocispec.Platform, error) {
	platforms := make(map[digest.Digest]*ocispec.Platform, len(configs))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(configsAtOnce)
	for _, config := range configs {
		group.Go(func() error {
			p, err := configPlatform(ctx, src, config)
			mu.Lock()
			defer mu.Unlock()
			platforms[config.Digest] = p
			return err
		})
	}
	return platforms, group.Wait()
}

// configPlatform reads the platform of a config.
func configPlatform(ctx context.Context, src content.BlobReader, config content.Descriptor) (*ocispec.Platform, error) {
	r, err := src.Blob(ctx, config)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(content.NewVerifyingReader(ctx, r, config))
	if err != nil {
		return nil, WithDigest("config", config.Digest, err)
	}
	p := &ocispec.Platform{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("%w: config %s: %w", content.ErrIntegrity, config.Digest, err)
	}
	if p.OS == "" && p.Architecture == "" {
		p = nil
	}
	return p, nil
}
