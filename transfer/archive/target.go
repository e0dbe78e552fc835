package archive

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/staging"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Target writes an OCI image layout to a tar file or a stream, as [content.Target].
// The file is replaced when all of an image is there, which is put together in a
// directory beside it before. What the file has already stays: the image is added,
// or takes the tag of another. A tar of the same images is the same bytes. Images
// that docker can load are listed in manifest.json too, as docker wants it.
//
// Its methods are those of [content.Target], [content.FileWriter], [content.TagFinder],
// [content.TagReader] and [content.LockedFileTarget], Commit and Close.
type Target struct {
	contract
	stage *staging.Staging // the same
}

// contract keeps the embedded field from being part of the API.
type contract = staging.Target

var (
	_ content.Target     = (*Target)(nil)
	_ content.FileWriter = (*Target)(nil)
	_ content.Committer  = (*Target)(nil)
)

// NewTarget returns the archive at path. Nothing is read or made yet. The
// caller closes it.
func NewTarget(path string) *Target { return newTarget(staging.New("oci-archive:"+path, path)) }

// NewStreamTarget returns an archive that is written to w when the image is complete. Until then it is in a
// directory in tempDir; "" is os.TempDir. The caller closes the target.
func NewStreamTarget(w io.Writer, tempDir string) *Target {
	return newTarget(staging.NewStream("oci-archive:-", w, tempDir))
}

func newTarget(stage *staging.Staging) *Target {
	stage.Check = func(old *tarball.Image) error {
		if err := layout.CheckVersion(old.Files); err != nil {
			return fmt.Errorf("%w: the file exists and holds something else (%v); name another file, or remove it", content.ErrConflict, err)
		}
		return nil
	}
	return &Target{stage, stage}
}

// Commit writes the tar.
func (t *Target) Commit(ctx context.Context) error {
	blobs, err := t.stage.Blobs(ctx)
	if err != nil {
		return err
	}
	index := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ocispec.MediaTypeImageIndex)
	var images []dockersave.Image
	members := []tarball.Member{tarball.LayoutMember()}
	if t.stage.Old != nil {
		if index, err = imagefs.ReadFile(t.stage.Old.Files, ocispec.ImageIndexFile, layout.MaxIndexSize); err != nil {
			return fmt.Errorf("%s: %w", t.stage.Name, err)
		}
		if tarball.HasFile(t.stage.Old.Files, tarball.DockerManifestFile) {
			if images, err = dockersave.Read(t.stage.Old.Files); err != nil {
				return fmt.Errorf("%s: %w", t.stage.Name, err)
			}
		}
	}
	before := index
	var tagged []content.Manifest
	if index, err = layout.AddToIndex(index, t.stage.Tagged...); err != nil {
		return fmt.Errorf("%s: index.json: %w", t.stage.Name, err)
	}
	for _, m := range t.stage.Tagged {
		if image, ok := dockersave.ImageOf(m.Manifest, nil); ok {
			images = append(images, image)
			tagged = append(tagged, m.Manifest)
		}
	}
	if index, err = dockersave.MarkOriginals(index, tagged, staging.Compressed(blobs)); err != nil {
		return fmt.Errorf("%s: index.json: %w", t.stage.Name, err)
	}
	referrers, err := t.stage.Referrers()
	if err != nil {
		return fmt.Errorf("%s: %w", t.stage.Name, err)
	}
	untagged := make([]content.TaggedManifest, 0, len(referrers))
	for _, m := range referrers { // only in index.json are they found again
		untagged = append(untagged, content.TaggedManifest{Manifest: m})
	}
	if index, err = layout.AddToIndex(index, untagged...); err != nil {
		return fmt.Errorf("%s: index.json: %w", t.stage.Name, err)
	}
	if t.stage.Old != nil {
		kept := t.keep(ctx, before, index, blobs)
		members = append(members, kept...)
	}
	members = append(members, tarball.BytesMember(ocispec.ImageIndexFile, index))
	members = slices.AppendSeq(members, maps.Values(blobs))
	if images = dockersave.WithFiles(images, members); len(images) > 0 {
		m, err := tarball.JsonMember(tarball.DockerManifestFile, images)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	return t.stage.Write(ctx, members)
}

// keep returns what of the old file stays: all but the blobs of images that have
// lost their tag and that no other image has.
func (t *Target) keep(ctx context.Context, before, after []byte, blobs map[digest.Digest]tarball.Member) []tarball.Member {
	garbage := t.garbage(ctx, before, after)
	var kept []tarball.Member
	names := slices.Sorted(maps.Keys(t.stage.Old.Files.Files))
	names = slices.AppendSeq(names, maps.Keys(t.stage.Old.Files.Links))
	for _, name := range names {
		switch name {
		case ocispec.ImageLayoutFile, ocispec.ImageIndexFile, tarball.DockerManifestFile:
			continue
		}
		section, err := t.stage.Old.Files.Lookup(name)
		if err != nil {
			continue // a link to nothing
		}
		if encoded, ok := strings.CutPrefix(name, path.Dir(layout.BlobPath(digest.FromString("")))+"/"); ok {
			d := digest.NewDigestFromEncoded(digest.SHA256, encoded)
			if _, is := blobs[d]; is || garbage[d] {
				continue
			}
		}
		kept = append(kept, tarball.Member{Name: name, Size: section.Size(), Open: func() (io.ReadCloser, error) {
			return tempfile.NewSection(section), nil
		}})
	}
	return kept
}

// garbage returns what is reached by the index before and not by that after; nothing
// if that is not certain.
func (t *Target) garbage(ctx context.Context, before, after []byte) map[digest.Digest]bool {
	reached := func(index []byte) (map[digest.Digest]bool, error) {
		all := map[digest.Digest]bool{}
		entries, err := layout.DecodeIndex(index)
		if err != nil {
			return nil, err
		}
		for _, d := range entries {
			if slices.ContainsFunc(t.stage.Tagged, func(m content.TaggedManifest) bool { return m.Descriptor.Digest == d.Digest }) {
				continue // its blobs are known
			}
			old := layout.NewReader(t.stage.Old.Files, t.stage.Name)
			root, err := old.Manifests(ctx, []content.Descriptor{d})
			if err != nil {
				return nil, err
			}
			g, err := imagetree.ReadBelow(ctx, old, root[0], true)
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
