package dockersave

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// ImageOf returns the entry of manifest.json for an image that docker can load.
func ImageOf(m content.Manifest, names []string) (Image, bool) {
	c, err := Check(m)
	if err != nil {
		return Image{}, false
	}
	image := Image{Config: layout.BlobPath(c.Blobs[0].Digest), RepoTags: names, Layers: []string{}}
	for _, b := range c.Blobs[1:] {
		image.Layers = append(image.Layers, layout.BlobPath(b.Digest))
	}
	return image, true
}

// WithFiles returns the images whose files are all among members, each once.
func WithFiles(images []Image, members []tarball.Member) []Image {
	there := map[string]bool{}
	for _, m := range members {
		there[m.Name] = true
	}
	var kept []Image
	known := map[string]bool{}
	for _, image := range images {
		key, err := json.Marshal(image)
		missing := func(name string) bool { return !there[tarball.CleanName(name)] }
		if err == nil && !known[string(key)] && !missing(image.Config) && !slices.ContainsFunc(image.Layers, missing) {
			known[string(key)] = true
			kept = append(kept, image)
		}
	}
	return kept
}

func Read(files tarball.Files) ([]Image, error) {
	data, err := imagefs.ReadFile(files, tarball.DockerManifestFile, content.MaxManifestSize)
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case layout.CheckVersion(files) == nil:
			return nil, fmt.Errorf("%w: this is an OCI layout, not an archive of docker; write oci-archive:FILE", content.ErrUnsupported)
		case tarball.HasFile(files, "repositories"):
			return nil, fmt.Errorf("%w: an archive of docker before 1.10; load it with a current docker and save it again", content.ErrUnsupported)
		case errors.Is(err, content.ErrIntegrity):
			return nil, err // it was cut off
		}
		return nil, fmt.Errorf("no archive of docker: it has no %s (%w)", tarball.DockerManifestFile, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	images, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tarball.DockerManifestFile, err)
	}
	return images, nil
}

// Check refuses what is no image that docker can load.
func Check(m content.Manifest) (content.ManifestContents, error) {
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return c, err
	}
	if c.Manifests != nil || len(c.Blobs) == 0 {
		return c, fmt.Errorf("%w: %s is an index of %s; %w", content.ErrUnsupported, m.Descriptor.Digest, platformsOf(c), content.ErrPlatformNeeded)
	}
	if mt := c.Blobs[0].MediaType; mt != content.MediaTypeDockerConfig && mt != ocispec.MediaTypeImageConfig {
		return c, fmt.Errorf("%w: %s is no image that docker can run, but %s; use oci-archive", content.ErrUnsupported, m.Descriptor.Digest, mt)
	}
	for _, b := range c.Blobs[1:] {
		if !isTarLayer(b.MediaType) {
			return c, fmt.Errorf("%w: layer %s of %s is %s, which docker cannot load; use oci-archive", content.ErrUnsupported, b.Digest, m.Descriptor.Digest, b.MediaType)
		}
	}
	return c, nil
}

// isTarLayer reports whether layers of a media type are tars: how they are compressed,
// docker detects from their bytes.
func isTarLayer(mediaType string) bool {
	for _, plain := range []string{content.MediaTypeDockerLayerPlain, ocispec.MediaTypeImageLayer} {
		rest, ok := strings.CutPrefix(mediaType, plain)
		if ok && (rest == "" || (rest[0] == '.' || rest[0] == '+') && !strings.Contains(rest, "encrypted")) {
			return true
		}
	}
	return false
}

// platformsOf names the platforms of an index.
func platformsOf(c content.ManifestContents) string {
	children, err := imagetree.IndexEntries(c)
	if err != nil {
		return "its images"
	}
	for i := range children {
		children[i].RunsOn, children[i].HasPlatform = content.PlatformOf(children[i].Platform)
	}
	return imagetree.PlatformList(children)
}
