package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
)

// MaxIndexSize is the largest index.json that is read, in bytes.
const MaxIndexSize = 64 << 20

// Reader is a [content.Source] over the files of an OCI image layout:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md.
type Reader struct {
	files fs.FS
	name  string // in messages
}

func (l Reader) String() string { return l.name }

// Resolve finds the image in index.json: by digest, by the tag that is its
// annotation org.opencontainers.image.ref.name, or the only one there.
func (l Reader) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	index, err := l.Index()
	if err != nil {
		return content.Manifest{}, err
	}
	if reference == "" && len(index) > 1 {
		if index, err = l.withoutReferrers(ctx, index); err != nil {
			return content.Manifest{}, err
		}
	}
	d, err := pick(index, reference)
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s %w", l.name, err)
	}
	return l.named(ctx, d)
}

// named reads the manifest of an entry of index.json.
func (l Reader) named(ctx context.Context, d content.Descriptor) (content.Manifest, error) {
	if d.Size > content.MaxManifestSize {
		return content.Manifest{}, fmt.Errorf("%s: %w: manifest %s has %d bytes; Amazon ECR takes at most %d", l.name, content.ErrUnsupported, d.Digest, d.Size, content.MaxManifestSize)
	}
	manifests, err := l.Manifests(ctx, []content.Descriptor{d})
	if err != nil {
		return content.Manifest{}, err
	}
	return manifests[0], nil
}

// pick finds the entry of index that reference names.
func pick(index []content.Descriptor, reference string) (content.Descriptor, error) {
	var tags []string
	images := map[digest.Digest]content.Descriptor{}
	for _, d := range index {
		tag := d.Annotations[ocispec.AnnotationRefName]
		if reference != "" && (tag == reference || string(d.Digest) == reference) {
			return d, nil
		}
		if tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
		images[d.Digest] = d
	}
	known := "none has a tag, name one by @sha256:…"
	if len(tags) > 0 {
		slices.Sort(tags)
		known = "tags: " + strings.Join(tags, ", ")
	}
	switch {
	case len(images) == 0:
		return content.Descriptor{}, fmt.Errorf("has no image: %w", content.ErrNotFound)
	case reference != "":
		return content.Descriptor{}, fmt.Errorf("has no image %s: %w (%s)", reference, content.ErrNotFound, known)
	case len(images) > 1:
		return content.Descriptor{}, fmt.Errorf("has %d images; say which one (%s)", len(images), known)
	}
	return index[0], nil
}

// Index reads the entries of index.json.
func (l Reader) Index() ([]content.Descriptor, error) {
	if err := CheckVersion(l.files); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	data, err := imagefs.ReadFile(l.files, ocispec.ImageIndexFile, MaxIndexSize)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	entries, err := DecodeIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: index.json: %w", l.name, err)
	}
	return entries, nil
}

// DecodeIndex reads an index.json; every descriptor in it is checked.
func DecodeIndex(data []byte) ([]content.Descriptor, error) {
	var index struct{ Manifests []content.Descriptor }
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	for _, d := range index.Manifests {
		if err := content.CheckDescriptor(d); err != nil {
			return nil, err
		}
	}
	return index.Manifests, nil
}

// CheckVersion reads the file oci-layout, which makes a directory a layout.
func CheckVersion(files fs.FS) error {
	data, err := imagefs.ReadFile(files, ocispec.ImageLayoutFile, 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no OCI image layout here (%w)", err)
	}
	if err != nil {
		return err
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(data, &layout); err != nil {
		return fmt.Errorf("%w: oci-layout: %w", content.ErrIntegrity, err)
	}
	if layout.Version != ocispec.ImageLayoutVersion {
		return fmt.Errorf("%w: OCI image layout version %q; only %s is known", content.ErrUnsupported, layout.Version, ocispec.ImageLayoutVersion)
	}
	return nil
}

// Manifests reads the manifests, each at most as long as its descriptor says.
func (l Reader) Manifests(ctx context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	manifests := make([]content.Manifest, len(descriptors))
	for i, d := range descriptors {
		r, err := l.Blob(ctx, d)
		if err != nil {
			return nil, err
		}
		data, err := content.ReadLimited(r, d.Size)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: manifest %s: %w", l.name, d.Digest, err)
		}
		manifests[i] = content.Manifest{Descriptor: d, Content: data}
	}
	return manifests, nil
}

// Blob opens the file of a blob, which must have the size of its descriptor.
func (l Reader) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := imagefs.OpenFile(l.files, BlobPath(d.Digest), d.Size)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: blob %s: %w; the layout is incomplete", l.name, d.Digest, content.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: blob %s: %w", l.name, d.Digest, err)
	}
	return f, nil
}

// BlobFile opens the file of a blob for reading anywhere.
func (l Reader) BlobFile(ctx context.Context, d content.Descriptor) (content.BlobFile, error) {
	f, err := l.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	file, ok := f.(content.BlobFile)
	if !ok {
		f.Close()
		return nil, fmt.Errorf("%s: blob %s: %w: its file cannot be read at an offset", l.name, d.Digest, content.ErrUnsupported)
	}
	return file, nil
}

// BlobPath is where a layout has a blob; d must be valid.
func BlobPath(d digest.Digest) string {
	return ocispec.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded()
}
