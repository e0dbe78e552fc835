// Package dockersave reads and writes manifest.json of what docker save writes.
package dockersave

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagename"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Image is an entry of manifest.json.
type Image struct {
	Config   string   // name of a file
	RepoTags []string // NAME:TAG each; none if the image has no name
	Layers   []string // names of files, the lowest layer first
}

// Decode reads a manifest.json.
func Decode(data []byte) ([]Image, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: not UTF-8", content.ErrIntegrity)
	}
	var images []Image
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	for _, m := range images {
		if m.Config == "" {
			return nil, fmt.Errorf("%w: an image without a config", content.ErrIntegrity)
		}
	}
	return images, nil
}

// DockerConfig is what is needed of the config of an image.
type DockerConfig struct {
	RootFS struct {
		DiffIDs []digest.Digest `json:"diff_ids"` // of the uncompressed layers
	} `json:"rootfs"`
}

// DecodeDockerConfig reads the config of an image of so many layers.
func DecodeDockerConfig(data []byte, layers int) (DockerConfig, error) {
	var config DockerConfig
	if !utf8.Valid(data) {
		return config, fmt.Errorf("%w: not UTF-8", content.ErrIntegrity)
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return config, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	if n := len(config.RootFS.DiffIDs); n != layers {
		return config, fmt.Errorf("%w: it names %d layers, manifest.json %d", content.ErrIntegrity, n, layers)
	}
	for _, d := range config.RootFS.DiffIDs {
		if err := content.CheckDescriptor(content.Descriptor{Digest: d}); err != nil {
			return config, err
		}
	}
	return config, nil
}

// PickDockerImage finds the image that reference names: NAME:TAG, the digest of
// its config, a tag if only one image has it, or "" for the only image. Of several
// with the same name in full the last counts, as in docker.
func PickDockerImage(images []Image, reference string, id func(Image) digest.Digest) (Image, error) {
	if len(images) == 0 {
		return Image{}, fmt.Errorf("has no image: %w", content.ErrNotFound)
	}
	var names []string
	var named []imagename.NamedImage
	later := map[string]bool{} // names of images further down, which replace those here
	for _, m := range slices.Backward(images) {
		if reference != "" && string(id(m)) == reference {
			return m, nil
		}
		one := imagename.NamedImage{ID: id(m)}
		for _, name := range m.RepoTags {
			if !later[name] {
				one.Names = append(one.Names, name)
			}
			later[name] = true
		}
		named = append(named, one)
		if len(m.RepoTags) == 0 {
			names = append(names, string(id(m)))
		}
		names = append(names, m.RepoTags...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 20
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", more))
	}
	known := strings.Join(names, ", ")
	if reference != "" {
		i, err := imagename.FindName(named, reference)
		if errors.Is(err, content.ErrNotFound) {
			err = fmt.Errorf("has no image %s: %w (it has %s)", reference, err, known)
		}
		if err != nil {
			return Image{}, err
		}
		return images[len(images)-1-i], nil
	}
	for _, m := range images[1:] {
		if m.Config != images[0].Config {
			return Image{}, fmt.Errorf("has %d images; say which one (%s)", len(images), known)
		}
	}
	return images[0], nil
}
