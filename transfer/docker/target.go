package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagename"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/staging"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// ArchiveTarget writes one image to a tar file or a stream, as [content.Target], so
// that `docker load` and everything else that reads what `docker save` writes can
// read it. The layers stay as they are, and the manifest is in the file too, so
// that what reads it as an OCI layout, or with [OpenArchive], finds the image
// with its digest. An existing file is only replaced by an image of the same
// name, with any tag, or by the same image.
//
// Its methods are those of [content.Target], [content.FileWriter], [content.TagFinder],
// [content.TagReader], [content.LockedFileTarget] and [content.SingleImageTarget], Commit and
// Close.
type ArchiveTarget struct {
	contract
	stage *staging.Staging // the same
	image string           // its name without a tag; "" if it has none
	names []string         // NAME:TAG of the image in the existing file
}

// contract keeps the embedded field from being part of the API.
type contract = staging.Target

var (
	_ content.Target            = (*ArchiveTarget)(nil)
	_ content.FileWriter        = (*ArchiveTarget)(nil)
	_ content.Committer         = (*ArchiveTarget)(nil)
	_ content.SingleImageTarget = (*ArchiveTarget)(nil)
)

// NewArchiveTarget returns the archive at path for an image with this name,
// which is without a tag; "" is no name. Nothing is read or made yet. The caller
// closes it.
func NewArchiveTarget(path, image string) *ArchiveTarget {
	return newArchiveTarget(staging.New("docker-archive:"+path, path), image)
}

// NewStreamTarget returns an archive for an image with this name that is written to w when the image is
// complete. Until then it is in a directory in tempDir; "" is os.TempDir. The caller closes the target.
func NewStreamTarget(w io.Writer, image, tempDir string) *ArchiveTarget {
	return newArchiveTarget(staging.NewStream("docker-archive:-", w, tempDir), image)
}

func newArchiveTarget(stage *staging.Staging, image string) *ArchiveTarget {
	stage.Check = func(*tarball.Image) error { return nil } // by CheckImage, which knows the image
	return &ArchiveTarget{contract: stage, stage: stage, image: image}
}

// CheckImage refuses what docker cannot load, and a file that holds something else.
func (t *ArchiveTarget) CheckImage(ctx context.Context, m content.Manifest) error {
	c, err := dockersave.Check(m)
	if err == nil {
		err = t.stage.Begin(ctx)
	}
	if err == nil && t.stage.Old != nil {
		err = t.checkOld(c.Blobs[0].Digest)
	}
	if err != nil && !strings.HasPrefix(err.Error(), t.stage.Name) {
		err = fmt.Errorf("%s: %w", t.stage.Name, err)
	}
	return err
}

// checkOld refuses to replace a file that holds more than an image of the same
// name, or the same image.
func (t *ArchiveTarget) checkOld(config digest.Digest) error {
	const next = "name another file, or remove it"
	images, err := dockersave.Read(t.stage.Old.Files)
	if err != nil {
		return fmt.Errorf("%w: the file exists and holds something else (%v); %s", content.ErrConflict, err, next)
	}
	index, err := layout.NewReader(t.stage.Old.Files, t.stage.Name).Index()
	others := func(d content.Descriptor) bool { return d.Digest != index[0].Digest }
	if len(images) > 1 || err == nil && slices.ContainsFunc(index, others) {
		return fmt.Errorf("%w: the file exists and holds several images; %s", content.ErrConflict, next)
	}
	t.names = nil
	for _, image := range images {
		t.names = append(t.names, image.RepoTags...)
		data, err := imagefs.ReadFile(t.stage.Old.Files, image.Config, content.MaxManifestSize)
		if err == nil && digest.FromBytes(data) == config {
			continue
		}
		other := func(name string) bool {
			i := strings.LastIndexByte(name, ':')
			return t.image == "" || i < 0 || imagename.FamiliarName(name[:i]) != imagename.FamiliarName(t.image)
		}
		if len(image.RepoTags) == 0 || slices.ContainsFunc(image.RepoTags, other) {
			return fmt.Errorf("%w: the file exists and holds another image (%s); %s", content.ErrConflict, strings.Join(append(image.RepoTags, string(digest.FromBytes(data))), ", "), next)
		}
	}
	return nil
}

// Replaced returns the names, NAME:TAG, that the existing file has and that a new one with these tags does not have. They
// are known after CheckImage.
func (t *ArchiveTarget) Replaced(tags []string) []string {
	var replaced []string
	for _, name := range t.names {
		i := strings.LastIndexByte(name, ':')
		again := t.image != "" && i >= 0 && imagename.FamiliarName(name[:i]) == imagename.FamiliarName(t.image) && slices.Contains(tags, name[i+1:])
		if !again {
			replaced = append(replaced, name)
		}
	}
	return replaced
}

// Commit writes the tar.
func (t *ArchiveTarget) Commit(ctx context.Context) error {
	members, err := t.members(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", t.stage.Name, err)
	}
	return t.stage.Write(ctx, members)
}

func (t *ArchiveTarget) members(ctx context.Context) ([]tarball.Member, error) {
	if len(t.stage.Tagged) == 0 {
		return nil, errors.New("no image was put")
	}
	m := t.stage.Tagged[0].Manifest
	if _, err := dockersave.Check(m); err != nil {
		return nil, err
	}
	var names []string
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, tagged := range t.stage.Tagged {
		entry := content.Descriptor{MediaType: m.Descriptor.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size}
		if t.image != "" && tagged.Tag != "" {
			name, err := reference.ParseNormalizedNamed(t.image + ":" + tagged.Tag)
			if err != nil {
				return nil, fmt.Errorf("the name %q: %w", t.image+":"+tagged.Tag, err)
			}
			names = append(names, reference.FamiliarString(name))
			entry.Annotations = map[string]string{imagename.AnnotationContainerdName: name.String(), ocispec.AnnotationRefName: tagged.Tag}
		}
		index.Manifests = append(index.Manifests, entry)
	}
	image, _ := dockersave.ImageOf(m, names)
	blobs, err := t.stage.Blobs(ctx)
	if err != nil {
		return nil, err
	}
	members := slices.AppendSeq([]tarball.Member{tarball.LayoutMember()}, maps.Values(blobs))
	member, err := tarball.JsonMember(tarball.DockerManifestFile, []dockersave.Image{image})
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(index)
	if err == nil {
		data, err = dockersave.MarkOriginals(data, []content.Manifest{m}, staging.Compressed(blobs))
	}
	return append(members, member, tarball.BytesMember(ocispec.ImageIndexFile, data)), err
}
