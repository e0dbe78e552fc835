package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ArchiveTarget writes an OCI image layout to a tar file or a stream, as [Target].
// The file is replaced when all of an image is there, which is put together in a
// directory beside it before. What the file has already stays: the image is added,
// or takes the tag of another. A tar of the same images is the same bytes. Images
// that docker can load are listed in manifest.json too, as docker wants it.
type ArchiveTarget struct{ *staging }

var (
	_ Target     = (*ArchiveTarget)(nil)
	_ fileWriter = (*ArchiveTarget)(nil)
	_ committer  = (*ArchiveTarget)(nil)
)

// NewArchiveTarget gives the archive at path. Nothing is read or made yet. The
// caller closes it.
func NewArchiveTarget(path string, options ArchiveTargetOptions) *ArchiveTarget {
	t := &ArchiveTarget{newStaging("oci-archive:"+path, path, options)}
	t.check = func(old *imageFile) error {
		if err := checkLayoutVersion(old.files); err != nil {
			return fmt.Errorf("%w: the file is there and holds something else (%w); name another one, or remove it", ErrConflict, err)
		}
		return nil
	}
	return t
}

// Commit writes the tar.
func (t *ArchiveTarget) Commit(ctx context.Context) error {
	blobs, err := t.blobs()
	if err != nil {
		return err
	}
	index := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ocispec.MediaTypeImageIndex)
	var images []dockerImage
	members := []tarMember{layoutMember()}
	if t.old != nil {
		if index, err = readFile(t.old.files, ocispec.ImageIndexFile, maxLayoutIndex); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if hasFile(t.old.files, dockerManifestFile) {
			if images, err = readDockerManifest(t.old.files); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	before := index
	for _, m := range t.tagged {
		if index, err = addToIndex(index, m.Descriptor, m.tag); err != nil {
			return fmt.Errorf("%s: index.json: %w", t.name, err)
		}
		if image, ok := dockerImageOf(m.Manifest, nil); ok {
			images = append(images, image)
		}
	}
	referrers, err := t.referrers()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	for _, m := range referrers { // only in index.json are they found again
		if index, err = addToIndex(index, m.Descriptor, ""); err != nil {
			return fmt.Errorf("%s: index.json: %w", t.name, err)
		}
	}
	if t.old != nil {
		kept := t.keep(ctx, before, index, blobs)
		members = append(members, kept...)
	}
	members = append(members, bytesMember(ocispec.ImageIndexFile, index))
	members = slices.AppendSeq(members, maps.Values(blobs))
	if images = withFiles(images, members); len(images) > 0 {
		m, err := jsonMember(dockerManifestFile, images)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	return t.write(ctx, members)
}

// keep gives what of the old file stays: all but the blobs of images that have
// lost their tag and that no other image has.
func (t *ArchiveTarget) keep(ctx context.Context, before, after []byte, blobs map[digest.Digest]tarMember) []tarMember {
	garbage := t.garbage(ctx, before, after)
	var kept []tarMember
	names := slices.Sorted(maps.Keys(t.old.files.files))
	names = slices.AppendSeq(names, maps.Keys(t.old.files.links))
	for _, name := range names {
		switch name {
		case ocispec.ImageLayoutFile, ocispec.ImageIndexFile, dockerManifestFile:
			continue
		}
		section, err := t.old.files.lookup(name)
		if err != nil {
			continue // a link to nothing
		}
		if encoded, ok := strings.CutPrefix(name, path.Dir(blobPath(digest.FromString("")))+"/"); ok {
			d := digest.NewDigestFromEncoded(digest.SHA256, encoded)
			if _, is := blobs[d]; is || garbage[d] {
				continue
			}
		}
		kept = append(kept, tarMember{name: name, size: section.Size(), open: func() (io.ReadCloser, error) {
			return newSectionFile(section), nil
		}})
	}
	return kept
}

// garbage gives what is reached by the index before and not by that after; nothing
// if that is not certain.
func (t *ArchiveTarget) garbage(ctx context.Context, before, after []byte) map[digest.Digest]bool {
	reached := func(index []byte) (map[digest.Digest]bool, error) {
		all := map[digest.Digest]bool{}
		entries, err := decodeLayoutIndex(index)
		if err != nil {
			return nil, err
		}
		for _, d := range entries {
			if slices.ContainsFunc(t.tagged, func(m taggedManifest) bool { return m.Descriptor.Digest == d.Digest }) {
				continue // its blobs are known
			}
			old := newLayoutReader(t.old.files, t.name)
			root, err := old.Manifests(ctx, []Descriptor{d})
			if err != nil {
				return nil, err
			}
			g, err := readTree(ctx, old, root[0], true)
			if err != nil {
				return nil, err
			}
			for _, m := range g.Manifests {
				all[m.Descriptor.Digest] = true
			}
			for _, b := range g.Blobs {
				all[b.Digest] = true
			}
		}
		return all, nil
	}
	garbage, err := reached(before)
	if err != nil {
		return nil
	}
	needed, err := reached(after)
	if err != nil {
		return nil
	}
	for d := range needed {
		delete(garbage, d)
	}
	return garbage
}

// dockerImageOf gives the entry of manifest.json for an image that docker can load.
func dockerImageOf(m Manifest, names []string) (dockerImage, bool) {
	c, err := checkDockerImage(m)
	if err != nil {
		return dockerImage{}, false
	}
	image := dockerImage{Config: blobPath(c.blobs[0].Digest), RepoTags: names, Layers: []string{}}
	for _, b := range c.blobs[1:] {
		image.Layers = append(image.Layers, blobPath(b.Digest))
	}
	return image, true
}

// withFiles gives the images whose files are all among members, each once.
func withFiles(images []dockerImage, members []tarMember) []dockerImage {
	there := map[string]bool{}
	for _, m := range members {
		there[m.name] = true
	}
	var kept []dockerImage
	known := map[string]bool{}
	for _, image := range images {
		key, err := json.Marshal(image)
		missing := func(name string) bool { return !there[cleanTarName(name)] }
		if err == nil && !known[string(key)] && !missing(image.Config) && !slices.ContainsFunc(image.Layers, missing) {
			known[string(key)] = true
			kept = append(kept, image)
		}
	}
	return kept
}
