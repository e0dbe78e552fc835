package transfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// containerdName is the annotation that names an image in full:
// https://github.com/containerd/containerd/blob/v2.2.0/core/images/annotations.go.
const containerdName = "io.containerd.image.name"

// DockerArchiveTarget writes one image to a tar file or a stream, as [Target], so
// that `docker load` and everything else that reads what `docker save` writes can
// read it. The layers stay as they are, and the manifest is in the file too, so
// that what reads it as an OCI layout, or with [OpenDockerArchive], finds the image
// with its digest. A file that is there is only replaced by an image of the same
// name.
type DockerArchiveTarget struct {
	*staging
	image string // its name without a tag; "" if it has none
}

var (
	_ Target      = (*DockerArchiveTarget)(nil)
	_ fileWriter  = (*DockerArchiveTarget)(nil)
	_ committer   = (*DockerArchiveTarget)(nil)
	_ imageTarget = (*DockerArchiveTarget)(nil)
)

// NewDockerArchiveTarget gives the archive at path for an image with this name,
// which is without a tag; "" is no name. Nothing is read or made yet. The caller
// closes it.
func NewDockerArchiveTarget(path, image string, options ArchiveTargetOptions) *DockerArchiveTarget {
	t := &DockerArchiveTarget{newStaging("docker-archive:"+path, path, options), image}
	t.check = func(*imageFile) error { return nil } // by CheckImage, which knows the image
	return t
}

// CheckImage refuses what docker cannot load, and a file that holds something else.
func (t *DockerArchiveTarget) CheckImage(ctx context.Context, m Manifest) error {
	c, err := checkDockerImage(m)
	if err == nil {
		err = t.begin(ctx)
	}
	if err == nil && t.old != nil {
		err = t.checkOld(c.blobs[0].Digest)
	}
	if err != nil && !strings.HasPrefix(err.Error(), t.name) {
		err = fmt.Errorf("%s: %w", t.name, err)
	}
	return err
}

// checkOld refuses to replace a file that holds more than an image of the same
// name, or the same image.
func (t *DockerArchiveTarget) checkOld(config digest.Digest) error {
	const next = "name another file, or remove it"
	images, err := readDockerManifest(t.old.files)
	if err != nil {
		return fmt.Errorf("%w: the file is there and holds something else (%w); %s", ErrConflict, err, next)
	}
	index, err := newLayoutReader(t.old.files, t.name).index()
	others := func(d Descriptor) bool { return d.Digest != index[0].Digest }
	if len(images) > 1 || err == nil && slices.ContainsFunc(index, others) {
		return fmt.Errorf("%w: the file is there and holds several images; %s", ErrConflict, next)
	}
	for _, image := range images {
		data, err := readFile(t.old.files, image.Config, MaxManifestSize)
		if err == nil && digest.FromBytes(data) == config {
			continue
		}
		other := func(name string) bool {
			i := strings.LastIndexByte(name, ':')
			return t.image == "" || i < 0 || familiarName(name[:i]) != familiarName(t.image)
		}
		if len(image.RepoTags) == 0 || slices.ContainsFunc(image.RepoTags, other) {
			return fmt.Errorf("%w: the file is there and holds another image (%s); %s", ErrConflict, strings.Join(append(image.RepoTags, string(digest.FromBytes(data))), ", "), next)
		}
	}
	return nil
}

// Commit writes the tar.
func (t *DockerArchiveTarget) Commit(ctx context.Context) error {
	members, err := t.members()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	return t.write(ctx, members)
}

func (t *DockerArchiveTarget) members() ([]tarMember, error) {
	if len(t.tagged) == 0 {
		return nil, errors.New("no image was put")
	}
	m := t.tagged[0].Manifest
	if _, err := checkDockerImage(m); err != nil {
		return nil, err
	}
	var names []string
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, tagged := range t.tagged {
		entry := Descriptor{MediaType: m.Descriptor.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size}
		if t.image != "" && tagged.tag != "" {
			name, err := reference.ParseNormalizedNamed(t.image + ":" + tagged.tag)
			if err != nil {
				return nil, fmt.Errorf("the name %q: %w", t.image+":"+tagged.tag, err)
			}
			names = append(names, reference.FamiliarString(name))
			entry.Annotations = map[string]string{containerdName: name.String(), ocispec.AnnotationRefName: tagged.tag}
		}
		index.Manifests = append(index.Manifests, entry)
	}
	image, _ := dockerImageOf(m, names)
	blobs, err := t.blobs()
	if err != nil {
		return nil, err
	}
	members := slices.AppendSeq([]tarMember{layoutMember()}, maps.Values(blobs))
	for name, content := range map[string]any{ocispec.ImageIndexFile: index, dockerManifestFile: []dockerImage{image}} {
		member, err := jsonMember(name, content)
		if err != nil {
			return nil, err
		}
		members = append(members, member)
	}
	return members, nil
}

// checkDockerImage refuses what is no image that docker can load.
func checkDockerImage(m Manifest) (contents, error) {
	c, err := decodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return c, err
	}
	if c.manifests != nil || len(c.blobs) == 0 {
		return c, fmt.Errorf("%w: %s is an index, and one image is wanted; choose one of %s with --platform", ErrUnsupported, m.Descriptor.Digest, platformsOf(c))
	}
	if mt := c.blobs[0].MediaType; mt != mediaTypeDockerConfig && mt != ocispec.MediaTypeImageConfig {
		return c, fmt.Errorf("%w: %s is no image that docker can run, but %s; use oci-archive", ErrUnsupported, m.Descriptor.Digest, mt)
	}
	for _, b := range c.blobs[1:] {
		switch b.MediaType {
		case mediaTypeDockerLayer, mediaTypeDockerLayerPlain, ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd:
		default:
			return c, fmt.Errorf("%w: layer %s of %s is %s, which docker cannot load; use oci-archive", ErrUnsupported, b.Digest, m.Descriptor.Digest, b.MediaType)
		}
	}
	return c, nil
}

// platformsOf names the platforms of an index.
func platformsOf(c contents) string {
	children, err := indexChildren(c)
	if err != nil {
		return "its images"
	}
	for i := range children {
		children[i].platform, children[i].hasPlatform = platformOf(children[i].Platform)
	}
	return platformList(children)
}
