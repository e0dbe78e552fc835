package transfer

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

	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/layercache"
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

// DockerArchiveOptions say how a docker archive is read.
type DockerArchiveOptions struct {
	// Compression of layers that have none; "" is gzip. Other layers are copied
	// byte for byte.
	Compression Compression
	// TempDir is the directory for what is unpacked and compressed, without which
	// nothing remains when the archive is closed or the process killed; "" is
	// os.TempDir. As much may be needed there as the image has bytes.
	TempDir string
	// CacheDir is a directory where is noted what layers have become, so that
	// one that did not change is not compressed again; "" is none.
	CacheDir string
	// Now is the clock of the cache; nil is time.Now.
	Now func() time.Time
}

// DockerArchive is what `docker save` writes, as [Source]: images whose manifests
// are made here, since the file has none, with layers that are compressed once,
// when the image is resolved. An archive that has the manifest of an image with
// compressed layers too gives that, with its digest.
type DockerArchive struct {
	name    string // in messages
	file    *imageFile
	images  []dockerImage
	options DockerArchiveOptions
	format  compress.Format
	cache   layercache.Dir
	cores   *semaphore.Weighted

	compressor compress.Compressor

	mu        sync.Mutex
	manifests map[digest.Digest]Manifest
	blobs     map[digest.Digest]blobOpener
	layers    map[digest.Digest]*dockerLayer // by diffID
}

var (
	_ Source     = (*DockerArchive)(nil)
	_ fileReader = (*DockerArchive)(nil)
)

// blobOpener gives the content of a blob.
type blobOpener func(context.Context) (*io.SectionReader, error)

// OpenDockerArchive opens the tar file, which may be compressed by gzip or zstd.
// The caller closes it.
func OpenDockerArchive(ctx context.Context, path string, options DockerArchiveOptions) (*DockerArchive, error) {
	f, err := openImageFile(ctx, path, options.TempDir)
	if err != nil {
		return nil, fmt.Errorf("docker-archive:%s: %w", path, err)
	}
	return newDockerArchive(f, "docker-archive:"+path, options)
}

// newDockerArchive reads what images there are; it closes f after an error.
func newDockerArchive(f *imageFile, name string, options DockerArchiveOptions) (*DockerArchive, error) {
	compression, err := ParseCompression(string(options.Compression))
	var images []dockerImage
	if err == nil {
		images, err = readDockerManifest(f.files)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &DockerArchive{
		name: name, file: f, images: images, options: options,
		format:    compress.Format(compression),
		cache:     layercache.Dir(options.CacheDir),
		cores:     semaphore.NewWeighted(int64(compress.Cores())),
		manifests: map[digest.Digest]Manifest{},
		blobs:     map[digest.Digest]blobOpener{},
		layers:    map[digest.Digest]*dockerLayer{},
	}, nil
}

func readDockerManifest(files tarFiles) ([]dockerImage, error) {
	data, err := readFile(files, dockerManifestFile, MaxManifestSize)
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case checkLayoutVersion(files) == nil:
			return nil, fmt.Errorf("%w: this is an OCI layout, not an archive of docker; write oci-archive:FILE", ErrUnsupported)
		case hasFile(files, "repositories"):
			return nil, fmt.Errorf("%w: an archive of docker before 1.10; load it with a current docker and save it again", ErrUnsupported)
		}
		return nil, fmt.Errorf("no archive of docker: %w", err)
	}
	if err != nil {
		return nil, err
	}
	images, err := decodeDockerManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dockerManifestFile, err)
	}
	return images, nil
}

func hasFile(files tarFiles, name string) bool {
	_, err := files.lookup(name)
	return err == nil
}

// String names the archive.
func (a *DockerArchive) String() string { return a.name }

// Names gives the names of the images, NAME:TAG each, in the order of the archive.
func (a *DockerArchive) Names() []string {
	var names []string
	for _, i := range a.images {
		names = append(names, i.RepoTags...)
	}
	return names
}

// Close closes the archive and removes what was unpacked and compressed.
func (a *DockerArchive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.file.Close()
	for _, l := range a.layers {
		err = errors.Join(err, l.close())
	}
	return errors.Join(err, a.cache.Sweep(a.options.Now()))
}

// Resolve gives the manifest of the image that reference names: NAME:TAG, the
// digest of its config, or "" for the only one. Layers are compressed now, unless
// it is known what they become.
func (a *DockerArchive) Resolve(ctx context.Context, reference string) (Manifest, error) {
	m, err := a.resolve(ctx, reference)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s %w", a.name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.manifests[m.Descriptor.Digest] = m
	return m, nil
}

func (a *DockerArchive) resolve(ctx context.Context, reference string) (Manifest, error) {
	configs := map[string][]byte{} // each read once
	id := func(m dockerImage) digest.Digest {
		data, ok := configs[m.Config]
		if !ok {
			data, _ = readFile(a.file.files, m.Config, MaxManifestSize)
			configs[m.Config] = data
		}
		return digest.FromBytes(data)
	}
	image, err := pickDockerImage(a.images, reference, id)
	if err != nil {
		return Manifest{}, err
	}
	data, err := readFile(a.file.files, image.Config, MaxManifestSize)
	if err != nil {
		return Manifest{}, err
	}
	config, err := decodeDockerConfig(data, len(image.Layers))
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", image.Config, err)
	}
	if m, ok := a.original(digest.FromBytes(data), len(image.Layers)); ok {
		return m, nil
	}
	layers, err := a.prepare(ctx, image, config)
	if err != nil {
		return Manifest{}, err
	}
	return a.manifest(data, layers)
}

// manifest makes the manifest of an image: docker's, unless it has layers that
// docker's cannot name.
func (a *DockerArchive) manifest(config []byte, layers []*dockerLayer) (Manifest, error) {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: mediaTypeDockerManifest,
		Config:    Descriptor{MediaType: mediaTypeDockerConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers:    []Descriptor{},
	}
	mediaTypes := map[compress.Format]string{compress.None: mediaTypeDockerLayerPlain, compress.Gzip: mediaTypeDockerLayer}
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
		m.Layers = append(m.Layers, Descriptor{MediaType: mediaTypes[l.format], Digest: l.digest, Size: l.size})
		opened[l.digest] = func(ctx context.Context) (*io.SectionReader, error) { return a.open(ctx, l) }
	}
	content, err := json.MarshalIndent(m, "", "   ") // as docker does
	if err != nil {
		return Manifest{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.Copy(a.blobs, opened)
	return Manifest{
		Descriptor: Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(content), Size: int64(len(content))},
		Content:    content,
	}, nil
}

// Manifests gives manifests of images that were resolved.
func (a *DockerArchive) Manifests(_ context.Context, descriptors []Descriptor) ([]Manifest, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	manifests := make([]Manifest, len(descriptors))
	for i, d := range descriptors {
		m, ok := a.manifests[d.Digest]
		if !ok {
			return nil, fmt.Errorf("%s: manifest %s: %w", a.name, d.Digest, ErrNotFound)
		}
		manifests[i] = m
	}
	return manifests, nil
}

// Blob opens a blob of an image that was resolved.
func (a *DockerArchive) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	section, err := a.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	return newSectionFile(section), nil
}

// BlobFile opens a blob of an image that was resolved, for reading anywhere.
func (a *DockerArchive) BlobFile(ctx context.Context, d Descriptor) (BlobFile, error) {
	section, err := a.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	return newSectionFile(section), nil
}

func (a *DockerArchive) blob(ctx context.Context, d Descriptor) (*io.SectionReader, error) {
	a.mu.Lock()
	open, ok := a.blobs[d.Digest]
	a.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%s: blob %s: %w", a.name, d.Digest, ErrNotFound)
	}
	section, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	return section, nil
}
