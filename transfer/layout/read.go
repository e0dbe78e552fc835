package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
)

// MaxIndexSize is the largest index.json that is read, in bytes.
const MaxIndexSize = 64 << 20

// Reader is a [content.Source] over the files of an OCI image layout:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md.
type Reader struct {
	files fs.FS
	dir   string // "" if the files are not in a directory
	name  string // in messages
	last  *lastIndex
}

// lastIndex is what index.json was when it was read last: many images of one layout are
// found without decoding it each time.
type lastIndex struct {
	mu      sync.Mutex
	data    []byte
	entries []content.Descriptor
}

// decode is DecodeIndex.
func (l *lastIndex) decode(data []byte) ([]content.Descriptor, error) {
	if l == nil {
		return DecodeIndex(data)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.data == nil || !bytes.Equal(l.data, data) {
		entries, err := DecodeIndex(data)
		if err != nil {
			return nil, err
		}
		l.data, l.entries = data, entries
	}
	return slices.Clone(l.entries), nil
}

func (l Reader) String() string { return l.name }

// Resolve finds an image: by the digest of anything that index.json leads to, by a name
// of an entry of index.json as people write it ("1.2", "app:1.2", "docker.io/library/app:1.2"), or "" for the only image there.
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
	if asked, invalid := digest.Parse(reference); err != nil && invalid == nil {
		if below, found := l.below(ctx, index, asked); found {
			d, err = below, nil
		}
	}
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s %w", l.name, err)
	}
	return l.named(ctx, d)
}

// ResolveAll finds several images, and reads index.json once where they are named by a digest or as it names them.
func (l Reader) ResolveAll(ctx context.Context, references []string) ([]content.Manifest, error) {
	if len(references) == 0 {
		return nil, nil // a layout to be made, too
	}
	index, err := l.Index()
	if err != nil {
		return nil, err
	}
	exact := exactNames(index)
	manifests := make([]content.Manifest, len(references))
	left := int64(imagetree.MaxTreeBytes)
	for i, reference := range references {
		if at := exact[reference]; at != shared {
			manifests[i], err = l.named(ctx, index[at-1])
		} else {
			manifests[i], err = l.Resolve(ctx, reference)
		}
		if err != nil {
			return nil, err
		}
		if left -= int64(len(manifests[i].Content)); left < 0 {
			return nil, fmt.Errorf("%s: %w: the manifests of the selected images are too large together; select fewer", l.name, content.ErrUnsupported)
		}
	}
	return manifests, nil
}

// below finds a manifest that an index names which index.json leads to.
func (l Reader) below(ctx context.Context, todo []content.Descriptor, asked digest.Digest) (content.Descriptor, bool) {
	seen := map[digest.Digest]bool{}
	total := int64(0)
	for i := 0; i < len(todo) && total <= imagetree.MaxTreeBytes; i++ {
		d := todo[i]
		if d.Digest == asked {
			return content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, Data: d.Data}, true
		}
		if seen[d.Digest] || !content.IsIndex(d.MediaType) || d.Size > content.MaxManifestSize {
			continue
		}
		seen[d.Digest] = true
		total += d.Size
		read, err := l.Manifests(ctx, []content.Descriptor{d})
		if err != nil || content.VerifyManifest(read[0], d) != nil {
			continue
		}
		if c, err := content.DecodeManifest(read[0].Content, d.MediaType); err == nil {
			todo = append(slices.Clip(todo), c.Manifests...)
		}
	}
	return content.Descriptor{}, false
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

// Index reads the entries of index.json.
func (l Reader) Index() ([]content.Descriptor, error) {
	if err := CheckVersion(l.files); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, l.explain(err))
	}
	data, err := imagefs.ReadFile(l.files, ocispec.ImageIndexFile, MaxIndexSize)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	entries, err := l.last.decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: index.json: %w", l.name, err)
	}
	nameCosign(entries)
	return entries, nil
}

// DecodeIndex reads an index.json; every descriptor in it is checked.
func DecodeIndex(data []byte) ([]content.Descriptor, error) {
	return content.DecodeEntries(data, content.ErrIntegrity)
}

// noLayoutError reports that there is no file oci-layout.
type noLayoutError struct{ error }

func (noLayoutError) Error() string {
	return "no OCI image layout here: there is no file " + ocispec.ImageLayoutFile
}

func (e noLayoutError) Unwrap() error { return e.error }

// placeError is what is wrong with the place of a layout.
type placeError struct {
	text string
	error
}

func (e placeError) Error() string { return e.text }

func (e placeError) Unwrap() error { return e.error }

// explain returns the error of [CheckVersion], or what is wrong with the directory itself.
func (l Reader) explain(err error) error {
	if err == nil {
		return nil
	}
	path := l.dir
	if path == "" {
		path = strings.TrimPrefix(l.name, "oci-archive:")
	} else {
		switch info, statErr := os.Stat(path); {
		case errors.Is(statErr, fs.ErrNotExist):
			return placeError{"there is no such directory", &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}}
		case statErr == nil && !info.IsDir():
			return &content.NoImageError{Path: path, Err: placeError{"this is a file, not the directory of an OCI image layout", err}}
		}
	}
	if none := (noLayoutError{}); errors.As(err, &none) {
		return &content.NoImageError{Path: path, Err: err}
	}
	return err
}

// CheckVersion reads the file oci-layout, which makes a directory a layout.
func CheckVersion(files fs.FS) error {
	data, err := imagefs.ReadFile(files, ocispec.ImageLayoutFile, 1<<16)
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, content.ErrIntegrity) {
		return noLayoutError{err}
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

// Blob opens the file of a blob, which must have the size of its descriptor. If there is
// none it is the content that the descriptor carries itself.
func (l Reader) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := content.CheckDescriptor(d); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	f, err := imagefs.OpenFile(l.files, BlobPath(d.Digest), d.Size)
	if errors.Is(err, fs.ErrNotExist) {
		embedded, ok, embeddedErr := embedded(d)
		if !ok {
			return nil, &content.AbsentError{Place: l.name, Digest: d.Digest, Cut: errors.Is(err, content.ErrIntegrity)}
		}
		if embeddedErr != nil {
			return nil, fmt.Errorf("%s: %w", l.name, embeddedErr)
		}
		return embedded, nil
	}
	if wrong := new(*content.SizeError); errors.As(err, wrong) {
		(*wrong).Digest = d.Digest
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
