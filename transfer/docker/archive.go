package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/layercache"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
)

// Compression is how layers are compressed that come without.
type Compression string

// The compressions.
const (
	CompressionGzip Compression = "gzip" // what every client can unpack
	CompressionZstd Compression = "zstd" // smaller and faster; Docker from 23.0 on, containerd from 1.5 on
	CompressionNone Compression = "none" // the layers stay as they are
)

// ParseCompression reads the name of a compression; "" is gzip.
func ParseCompression(s string) (Compression, error) {
	switch c := Compression(s); c {
	case "":
		return CompressionGzip, nil
	case CompressionGzip, CompressionZstd, CompressionNone:
		return c, nil
	}
	return "", fmt.Errorf("%q is not a compression; use gzip, zstd or none", s)
}

// ArchiveOptions describe how a docker archive is read.
type ArchiveOptions struct {
	// Compression of layers that have none; "" is gzip. Other layers are copied
	// byte for byte.
	Compression Compression
	// TempDir is the directory for what is unpacked and compressed, without which
	// nothing remains when the archive is closed or the process killed; "" is
	// os.TempDir. As much may be needed there as the image has bytes.
	TempDir string
	// CacheDir is a directory where is noted what layers have become, so that
	// one that did not change is not compressed again; "" means none.
	CacheDir string
	// Now is the clock of the cache; nil is time.Now.
	Now func() time.Time
}

// Archive is what `docker save` writes, as [content.Source]: images whose manifests
// are made here, since the file has none, with layers that are compressed once,
// when the image is resolved. An archive that has the manifest of an image with
// compressed layers too returns that, with its digest.
type Archive struct {
	name    string // in messages
	file    *tarball.Image
	images  []dockersave.Image
	options ArchiveOptions
	format  compress.Format
	cache   layercache.Dir
	cores   *semaphore.Weighted

	compressor compress.Compressor

	mu        sync.Mutex
	manifests map[digest.Digest]content.Manifest
	blobs     map[digest.Digest]blobOpener
	layers    map[digest.Digest]*dockerLayer // by diffID
}

var (
	_ content.Source     = (*Archive)(nil)
	_ content.FileReader = (*Archive)(nil)
)

// blobOpener returns the content of a blob.
type blobOpener func(context.Context) (*io.SectionReader, error)

// OpenArchive opens the tar file, which may be compressed by gzip or zstd.
// The caller closes it.
func OpenArchive(ctx context.Context, path string, options ArchiveOptions) (*Archive, error) {
	f, err := tarball.Open(ctx, path, options.TempDir)
	if err != nil {
		return nil, fmt.Errorf("docker-archive:%s: %w", path, tarball.NoImage(path, err))
	}
	archive, err := newArchive(f, "docker-archive:"+path, options)
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, content.ErrIntegrity) || errors.Is(err, content.ErrUnsupported) {
		err = &content.NoImageError{Path: path, Err: err}
	}
	return archive, err
}

// NewArchive returns the archive in a tar that is not compressed; messages call it
// docker-archive:name. The archive closes file, and so does an error.
func NewArchive(file content.BlobFile, name string, options ArchiveOptions) (*Archive, error) {
	f, err := tarball.New(file, file)
	if err != nil {
		return nil, fmt.Errorf("docker-archive:%s: %w", name, err)
	}
	return newArchive(f, "docker-archive:"+name, options)
}

// newArchive reads which images there are; it closes f after an error.
func newArchive(f *tarball.Image, name string, options ArchiveOptions) (*Archive, error) {
	compression, err := ParseCompression(string(options.Compression))
	var images []dockersave.Image
	if err == nil {
		images, err = dockersave.Read(f.Files)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Archive{
		name: name, file: f, images: images, options: options,
		format:    compress.Format(compression),
		cache:     layercache.Dir(options.CacheDir),
		cores:     semaphore.NewWeighted(int64(compress.Cores())),
		manifests: map[digest.Digest]content.Manifest{},
		blobs:     map[digest.Digest]blobOpener{},
		layers:    map[digest.Digest]*dockerLayer{},
	}, nil
}

// String names the archive.
func (a *Archive) String() string { return a.name }

// Names returns the names of the images, NAME:TAG each, in the order of the archive.
func (a *Archive) Names() []string {
	var names []string
	for _, i := range a.images {
		names = append(names, i.RepoTags...)
	}
	return names
}

// Close closes the archive and removes what was unpacked and compressed.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.file.Close()
	for _, l := range a.layers {
		err = errors.Join(err, l.close())
	}
	return errors.Join(err, a.cache.Sweep(a.options.Now()))
}

// Resolve returns the manifest of the image that reference names: NAME:TAG, the
// digest of its config, or "" for the only one. Layers are compressed now, unless
// it is known what they become.
func (a *Archive) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	m, err := a.resolve(ctx, reference)
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s %w", a.name, content.BlameChange(a.file, err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.manifests[m.Descriptor.Digest] = m
	return m, nil
}

func (a *Archive) resolve(ctx context.Context, reference string) (content.Manifest, error) {
	configs := map[string][]byte{} // each read once
	id := func(m dockersave.Image) digest.Digest {
		data, ok := configs[m.Config]
		if !ok {
			data, _ = imagefs.ReadFile(a.file.Files, m.Config, content.MaxManifestSize)
			configs[m.Config] = data
		}
		return digest.FromBytes(data)
	}
	image, err := dockersave.PickDockerImage(a.images, reference, id)
	if err != nil {
		return content.Manifest{}, err
	}
	data, err := imagefs.ReadFile(a.file.Files, image.Config, content.MaxManifestSize)
	if err != nil {
		return content.Manifest{}, err
	}
	config, err := dockersave.DecodeDockerConfig(data, len(image.Layers))
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s: %w", image.Config, err)
	}
	if m, ok := a.original(digest.FromBytes(data), len(image.Layers)); ok {
		return m, nil
	}
	layers, err := a.prepare(ctx, image, config)
	if err != nil {
		return content.Manifest{}, err
	}
	return a.manifest(data, layers)
}

// manifest makes the manifest of an image: docker's, unless it has layers that
// docker's cannot name.
func (a *Archive) manifest(config []byte, layers []*dockerLayer) (content.Manifest, error) {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: content.MediaTypeDockerManifest,
		Config:    content.Descriptor{MediaType: content.MediaTypeDockerConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers:    []content.Descriptor{},
	}
	mediaTypes := map[compress.Format]string{compress.None: content.MediaTypeDockerLayerPlain, compress.Gzip: content.MediaTypeDockerLayer}
	if slices.ContainsFunc(layers, func(l *dockerLayer) bool { return l.format == compress.Zstd }) {
		m.MediaType, m.Config.MediaType = ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig
		mediaTypes = map[compress.Format]string{
			compress.None: ocispec.MediaTypeImageLayer,
			compress.Gzip: ocispec.MediaTypeImageLayerGzip,
			compress.Zstd: ocispec.MediaTypeImageLayerZstd,
		}
	}
	opened := map[digest.Digest]blobOpener{m.Config.Digest: func(context.Context) (*io.SectionReader, error) {
		return io.NewSectionReader(bytes.NewReader(config), 0, int64(len(config))), nil
	}}
	for _, l := range layers {
		m.Layers = append(m.Layers, content.Descriptor{MediaType: mediaTypes[l.format], Digest: l.digest, Size: l.size})
		opened[l.digest] = func(ctx context.Context) (*io.SectionReader, error) { return a.openLayer(ctx, l) }
	}
	data, err := json.MarshalIndent(m, "", "   ") // as docker does
	if err != nil {
		return content.Manifest{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.Copy(a.blobs, opened)
	return content.Manifest{
		Descriptor: content.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))},
		Content:    data,
	}, nil
}

// Manifests returns manifests of images that were resolved.
func (a *Archive) Manifests(_ context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	manifests := make([]content.Manifest, len(descriptors))
	for i, d := range descriptors {
		m, ok := a.manifests[d.Digest]
		if !ok {
			return nil, fmt.Errorf("%s: manifest %s: %w", a.name, d.Digest, content.ErrNotFound)
		}
		manifests[i] = m
	}
	return manifests, nil
}

// Blob opens a blob of an image that was resolved.
func (a *Archive) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	f, err := a.open(ctx, d)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// BlobFile opens a blob of an image that was resolved, for reading anywhere.
func (a *Archive) BlobFile(ctx context.Context, d content.Descriptor) (content.BlobFile, error) {
	f, err := a.open(ctx, d)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// open opens a blob, as a [content.Changer].
func (a *Archive) open(ctx context.Context, d content.Descriptor) (*tarball.File, error) {
	a.mu.Lock()
	open, ok := a.blobs[d.Digest]
	a.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%s: blob %s: %w", a.name, d.Digest, content.ErrNotFound)
	}
	section, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, content.BlameChange(a.file, err))
	}
	f := tarball.NewFile(section, string(d.Digest), a.file)
	return &f, nil
}
