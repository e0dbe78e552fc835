package transfer

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/internal/compress"
)

// imageFile is a tar with an image, not compressed or unpacked already, of which
// any part can be read.
type imageFile struct {
	io.Closer
	files tarFiles
}

// openImageFile opens the tar at path, or one on a pipe.
func openImageFile(ctx context.Context, path, tempDir string) (*imageFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("a directory, not a tar file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	first := make([]byte, compress.MagicSize)
	if info.Mode().IsRegular() {
		n, err := f.ReadAt(first, 0)
		if err != nil && err != io.EOF {
			f.Close()
			return nil, err
		}
		if compress.Detect(first[:n]) == compress.None {
			return newImageFile(f, f)
		}
	}
	defer f.Close()
	return spoolImageFile(ctx, f, tempDir)
}

func newImageFile(r io.ReaderAt, c io.Closer) (*imageFile, error) {
	files, err := indexTar(r)
	if err != nil {
		c.Close()
		return nil, err
	}
	return &imageFile{c, files}, nil
}

// spoolImageFile brings a stream of a tar, compressed or not, into a temporary
// file. It returns early if ctx ends, also while r brings nothing.
func spoolImageFile(ctx context.Context, r io.Reader, tempDir string) (*imageFile, error) {
	type result struct {
		file *imageFile
		err  error
	}
	done := make(chan result, 1)
	go func() {
		file, err := spoolTar(ctx, r, tempDir)
		done <- result{file, err}
	}()
	select {
	case got := <-done:
		return got.file, got.err
	case <-ctx.Done():
		// The file has no name any more and goes with the last who has it open.
		go func() {
			if got := <-done; got.err == nil {
				got.file.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

func spoolTar(ctx context.Context, r io.Reader, tempDir string) (*imageFile, error) {
	raw := &faultReader{r: compress.Reader(ctx, r)}
	buffered := bufio.NewReaderSize(raw, 128<<10)
	first, err := buffered.Peek(compress.MagicSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	plain, err := compress.NewReader(buffered, compress.Detect(first))
	if raw.fault != nil {
		return nil, raw.fault
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	defer plain.Close()
	temp, err := newTempFile(tempDir)
	if err != nil {
		return nil, err
	}
	if err := copyTar(temp, plain); err != nil {
		temp.Close()
		if raw.fault != nil {
			return nil, raw.fault
		}
		return nil, err
	}
	return newImageFile(temp, temp)
}

// faultReader keeps the error that ended the reading, which would be taken for
// one in the content.
type faultReader struct {
	r     io.Reader
	fault error
}

func (r *faultReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.fault = err
	}
	return n, err
}

// maxTarTrailer is how much may follow the end of a tar: it is a multiple of its
// writer's block.
const maxTarTrailer = 1 << 20

// copyTar copies a tar and stops at its end, whatever else a stream would bring.
func copyTar(w io.Writer, r io.Reader) error {
	out := bufio.NewWriterSize(w, 256<<10)
	err := tarWalk(io.TeeReader(r, out), func(*tar.Header, string, io.Reader) error { return nil })
	if err == nil {
		// Its writer may not like a pipe that is closed too early.
		_, err = io.CopyN(io.Discard, r, maxTarTrailer)
	}
	// That the disk is full comes before what the reader made of it.
	if flushed := out.Flush(); flushed != nil || err == io.EOF {
		return flushed
	}
	return err
}

// kind tells what the tar holds. Docker writes archives that are both: those are
// OCI layouts only if they can be read as such with nothing missing and no layer
// to be compressed.
func kindOf(files tarFiles) Kind {
	_, err := files.lookup(dockerManifestFile)
	docker := err == nil
	if checkLayoutVersion(files) == nil && (!docker || isWholeLayout(files)) {
		return KindArchive
	}
	if docker {
		return KindDockerArchive
	}
	return ""
}

// isWholeLayout tells whether all that index.json names is there and compressed.
func isWholeLayout(files tarFiles) bool {
	layout := newLayoutReader(files, "")
	index, err := layout.index()
	if err != nil {
		return false
	}
	ctx := context.Background() // nothing waits
	for _, d := range index {
		root, err := layout.Manifests(ctx, []Descriptor{d})
		if err != nil {
			return false
		}
		g, err := readTree(ctx, layout, root[0], false)
		if err != nil {
			return false
		}
		for _, b := range g.Blobs {
			blob, err := layout.Blob(ctx, b)
			if err != nil {
				return false
			}
			blob.Close()
			if b.MediaType == ocispec.MediaTypeImageLayer || b.MediaType == mediaTypeDockerLayerPlain {
				return false
			}
		}
	}
	return len(index) > 0
}
