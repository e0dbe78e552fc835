package transfer

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
)

// maxLayoutIndex is the largest index.json that is read, in bytes.
const maxLayoutIndex = 64 << 20

// layoutReader is a [Source] over the files of an OCI image layout:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md.
type layoutReader struct {
	files fs.FS
	name  string // in messages
}

func (l layoutReader) String() string { return l.name }

// Resolve finds the image in index.json: by digest, by the tag that is its
// annotation org.opencontainers.image.ref.name, or the only one there.
func (l layoutReader) Resolve(ctx context.Context, reference string) (Manifest, error) {
	index, err := l.index()
	if err != nil {
		return Manifest{}, err
	}
	if reference == "" && len(index) > 1 {
		if index, err = l.withoutReferrers(ctx, index); err != nil {
			return Manifest{}, err
		}
	}
	d, err := pick(index, reference)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s %w", l.name, err)
	}
	return l.named(ctx, d)
}

// named reads the manifest of an entry of index.json.
func (l layoutReader) named(ctx context.Context, d Descriptor) (Manifest, error) {
	if d.Size > MaxManifestSize {
		return Manifest{}, fmt.Errorf("%s: %w: manifest %s has %d bytes; Amazon ECR takes at most %d", l.name, ErrUnsupported, d.Digest, d.Size, MaxManifestSize)
	}
	manifests, err := l.Manifests(ctx, []Descriptor{d})
	if err != nil {
		return Manifest{}, err
	}
	return manifests[0], nil
}

// pick finds the entry of index that reference names.
func pick(index []Descriptor, reference string) (Descriptor, error) {
	var tags []string
	images := map[digest.Digest]Descriptor{}
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
		return Descriptor{}, fmt.Errorf("has no image: %w", ErrNotFound)
	case reference != "":
		return Descriptor{}, fmt.Errorf("has no image %s: %w (%s)", reference, ErrNotFound, known)
	case len(images) > 1:
		return Descriptor{}, fmt.Errorf("has %d images; say which one (%s)", len(images), known)
	}
	return index[0], nil
}

// index reads the entries of index.json.
func (l layoutReader) index() ([]Descriptor, error) {
	if err := checkLayoutVersion(l.files); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	data, err := readFile(l.files, ocispec.ImageIndexFile, maxLayoutIndex)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	entries, err := decodeLayoutIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: index.json: %w", l.name, err)
	}
	return entries, nil
}

// decodeLayoutIndex reads an index.json; every descriptor in it is checked.
func decodeLayoutIndex(data []byte) ([]Descriptor, error) {
	var index struct{ Manifests []Descriptor }
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	for _, d := range index.Manifests {
		if err := checkDescriptor(d); err != nil {
			return nil, err
		}
	}
	return index.Manifests, nil
}

// checkLayoutVersion reads the file oci-layout, which makes a directory a layout.
func checkLayoutVersion(files fs.FS) error {
	data, err := readFile(files, ocispec.ImageLayoutFile, 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no OCI image layout here (%w)", err)
	}
	if err != nil {
		return err
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(data, &layout); err != nil {
		return fmt.Errorf("%w: oci-layout: %w", ErrIntegrity, err)
	}
	if layout.Version != ocispec.ImageLayoutVersion {
		return fmt.Errorf("%w: OCI image layout version %q; only %s is known", ErrUnsupported, layout.Version, ocispec.ImageLayoutVersion)
	}
	return nil
}

// Manifests reads the manifests, each at most as long as its descriptor says.
func (l layoutReader) Manifests(ctx context.Context, descriptors []Descriptor) ([]Manifest, error) {
	manifests := make([]Manifest, len(descriptors))
	for i, d := range descriptors {
		r, err := l.Blob(ctx, d)
		if err != nil {
			return nil, err
		}
		content, err := readAll(r, d.Size)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: manifest %s: %w", l.name, d.Digest, err)
		}
		manifests[i] = Manifest{Descriptor: d, Content: content}
	}
	return manifests, nil
}

// Blob opens the file of a blob, which must have the size of its descriptor.
func (l layoutReader) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := openFile(l.files, blobPath(d.Digest), d.Size)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: blob %s: %w; the layout is incomplete", l.name, d.Digest, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: blob %s: %w", l.name, d.Digest, err)
	}
	return f, nil
}

// BlobFile opens the file of a blob for reading anywhere.
func (l layoutReader) BlobFile(ctx context.Context, d Descriptor) (BlobFile, error) {
	f, err := l.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	file, ok := f.(BlobFile)
	if !ok {
		f.Close()
		return nil, fmt.Errorf("%s: blob %s: %w: its file cannot be read at an offset", l.name, d.Digest, ErrUnsupported)
	}
	return file, nil
}

// blobPath is where a layout has a blob; d must be valid.
func blobPath(d digest.Digest) string {
	return ocispec.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded()
}

// openFile opens a regular file of the given size; -1 is any size.
func openFile(files fs.FS, name string, size int64) (fs.File, error) {
	info, err := fs.Stat(files, name) // before Open, which would wait at a named pipe
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrIntegrity, name)
	}
	if size >= 0 && info.Size() != size {
		return nil, fmt.Errorf("%w: %s has %d bytes, its descriptor says %d", ErrIntegrity, name, info.Size(), size)
	}
	return files.Open(name)
}

func readFile(files fs.FS, name string, limit int64) ([]byte, error) {
	f, err := openFile(files, name, -1)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
