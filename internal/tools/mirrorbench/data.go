//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

// The data set.
const (
	repositories, tags = 10, 10
	base               = 8 * mib   // of each platform, in all images
	common             = 2 * mib   // two of each repository and platform
	own                = 512 << 10 // of each image
)

// put makes the store of a local ECR with the data set.
func put(ctx context.Context, dir string) error {
	server, err := localecr.New(localecr.Options{Dir: dir})
	if err != nil {
		return err
	}
	for i := range repositories {
		name := fmt.Sprintf("src/repo%02d", i)
		if err := putImages(ctx, server, name, name, 0, tags); err != nil {
			return err
		}
	}
	if err := putImages(ctx, server, nextRepository, "src/repo00", tags, 1); err != nil {
		return err
	}
	return server.Close()
}

// nextRepository has the next image of the first repository.
const nextRepository = "next/repo00"

// putImages puts n images, from first on, of the repository called name into to.
func putImages(ctx context.Context, server *localecr.Server, to, name string, first, n int) error {
	r, err := server.Repository(ctx, to)
	if err != nil {
		return err
	}
	for tag := first; tag < first+n; tag++ {
		index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
		for _, platform := range []string{"amd64", "arm64"} {
			config := fmt.Appendf(nil, `{"architecture":%q,"os":"linux","rootfs":{"type":"layers"},"config":{"Labels":{"tag":"%s %d"}}}`, platform, name, tag)
			image := ocispec.Manifest{Versioned: index.Versioned, MediaType: ocispec.MediaTypeImageManifest,
				Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}}
			if err := r.PutLayer(ctx, string(image.Config.Digest), bytes.NewReader(config)); err != nil {
				return err
			}
			for _, layer := range [][]byte{random(base, "base", platform), random(common, name, platform, 1), random(common, name, platform, 2), random(own, name, platform, tag)} {
				d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromBytes(layer), Size: int64(len(layer))}
				if err := r.PutLayer(ctx, string(d.Digest), bytes.NewReader(layer)); err != nil {
					return err
				}
				image.Layers = append(image.Layers, d)
			}
			d, err := putManifest(ctx, r, "", image.MediaType, image)
			if err != nil {
				return err
			}
			d.Platform = &ocispec.Platform{OS: "linux", Architecture: platform}
			index.Manifests = append(index.Manifests, d)
		}
		if _, err := putManifest(ctx, r, fmt.Sprintf("v%d.0.0", tag), index.MediaType, index); err != nil {
			return err
		}
	}
	return nil
}

func putManifest(ctx context.Context, r *localecr.Repository, tag, mediaType string, manifest any) (ocispec.Descriptor, error) {
	data, err := json.Marshal(manifest)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, r.PutManifest(ctx, tag, mediaType, data)
}

// random returns bytes that cannot be compressed, the same ones for the same words.
func random(size int, words ...any) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, words...))).Read(data)
	return data
}
