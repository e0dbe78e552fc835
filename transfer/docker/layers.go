package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/layercache"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

// dockerLayer is a layer of a docker archive.
type dockerLayer struct {
	file    string // in the archive
	diffID  digest.Digest
	content *io.SectionReader // in the archive
	packed  bool              // the content is compressed already

	// What the layer is in the manifest, known when it is prepared.
	format compress.Format
	digest digest.Digest
	size   int64

	mu   sync.Mutex
	temp *tempfile.File // the compressed bytes; nil if there is no need for them
}

// coreShare is how many bytes of a layer keep one core busy: a large layer
// has all cores, of small ones as many are compressed at once as there are cores.
const coreShare = 8 << 20

// prepare finds out what the layers of an image are in its manifest.
func (a *Archive) prepare(ctx context.Context, image dockersave.Image, config dockersave.DockerConfig) ([]*dockerLayer, error) {
	layers, err := a.findLayers(image, config)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compress.Cores())
	for _, l := range layers {
		group.Go(func() error { return a.prepareLayer(ctx, l) })
	}
	return layers, group.Wait()
}

// findLayers finds the layers of an image in the archive.
func (a *Archive) findLayers(image dockersave.Image, config dockersave.DockerConfig) ([]*dockerLayer, error) {
	layers := make([]*dockerLayer, len(image.Layers))
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, file := range image.Layers {
		diffID := config.RootFS.DiffIDs[i]
		l := a.layers[diffID]
		if l == nil {
			data, err := a.file.Files.Lookup(file)
			if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, content.ErrIntegrity) {
				return nil, fmt.Errorf("lacks the layer %s: %w", file, content.ErrNotFound)
			}
			if err != nil {
				return nil, err
			}
			l = &dockerLayer{file: file, diffID: diffID, content: data}
			a.layers[diffID] = l
		}
		layers[i] = l
	}
	return layers, nil
}

func (a *Archive) prepareLayer(ctx context.Context, l *dockerLayer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.digest != "" {
		return nil // twice in the image, or resolved before
	}
	first := make([]byte, compress.MagicSize)
	n, err := l.content.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return fmt.Errorf("layer %s: %w", l.file, err)
	}
	switch l.format = compress.Detect(first[:n]); l.format {
	case compress.None:
	case compress.Gzip, compress.Zstd:
		l.packed = true
		return a.hash(ctx, l)
	default:
		return fmt.Errorf("has the layer %s compressed by %s: %w; load the image into docker and save it again", l.file, l.format, content.ErrUnsupported)
	}
	if l.format = a.format; l.format == compress.None {
		l.packed, l.digest, l.size = true, l.diffID, l.content.Size()
		return nil
	}
	if known, ok := a.cache.Get(a.key(l), a.options.Now()); ok {
		l.digest, l.size = known.Digest, known.Size
		return nil
	}
	l.digest, l.size, err = a.compress(ctx, l)
	return err
}

func (a *Archive) key(l *dockerLayer) layercache.Key {
	return layercache.Key{DiffID: l.diffID, Version: compress.Version(a.format)}
}

// compress makes the temporary file of a layer, and checks on the way that its
// content is what the config says.
func (a *Archive) compress(ctx context.Context, l *dockerLayer) (_ digest.Digest, _ int64, err error) {
	cores := min(l.content.Size()/coreShare+1, int64(compress.Cores()))
	if err := a.cores.Acquire(ctx, cores); err != nil {
		return "", 0, err
	}
	defer a.cores.Release(cores)
	temp, err := tempfile.New(a.options.TempDir)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			temp.Close()
			err = fmt.Errorf("layer %s: %w", l.file, err)
		}
	}()
	before, after := digest.SHA256.Digester(), digest.SHA256.Digester()
	out := bufio.NewWriterSize(io.MultiWriter(temp, after.Hash()), 256<<10)
	data := io.TeeReader(tempfile.NewSection(l.content), before.Hash())
	if err := a.compressor.Copy(ctx, out, data, a.format, int(cores)); err != nil {
		return "", 0, err
	}
	if err := out.Flush(); err != nil {
		return "", 0, err
	}
	if got := before.Digest(); got != l.diffID {
		return "", 0, wrongContent(got, l.diffID)
	}
	size, err := temp.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", 0, err
	}
	l.temp = &temp
	// Without the note the next run compresses the layer again, no more.
	_ = a.cache.Put(a.key(l), layercache.Layer{Digest: after.Digest(), Size: size})
	return after.Digest(), size, nil
}

// openLayer returns the bytes of a layer, which are made if only their digest was known.
func (a *Archive) openLayer(ctx context.Context, l *dockerLayer) (*io.SectionReader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packed {
		return l.content, nil
	}
	if l.temp == nil {
		got, _, err := a.compress(ctx, l)
		if err != nil {
			return nil, err
		}
		if got != l.digest {
			// What was noted of it is right from now on.
			return nil, fmt.Errorf("layer %s: it is %s when compressed, and %s was noted of it, which the manifest names; this is set right: try again", l.file, got, l.digest)
		}
	}
	return io.NewSectionReader(l.temp, 0, l.size), nil
}

// close removes the compressed bytes.
func (l *dockerLayer) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.temp == nil {
		return nil
	}
	return l.temp.Close()
}
