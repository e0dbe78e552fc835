package tarball

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/unpack"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

// Image is a tar with an image, not compressed or unpacked already, of which
// any part can be read.
type Image struct {
	io.ReaderAt // the whole tar
	io.Closer
	Files Files
}

// Open opens the tar at path, or one on a pipe.
func Open(ctx context.Context, path, tempDir string) (*Image, error) {
	f, err := files.OpenFile(path)
	if err != nil {
		return nil, err
	}
	watched := files.Watch(f)
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errDirectory
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
		if bytes.HasPrefix(first[:n], []byte("PK\x03\x04")) {
			f.Close()
			return nil, fmt.Errorf("%w: a zip file, not a tar archive", content.ErrUnsupported)
		}
		if compress.Detect(first[:n]) == compress.None {
			return New(watched, watched)
		}
	}
	defer f.Close()
	image, err := Spool(ctx, f, tempDir)
	return image, content.BlameChange(watched, err)
}

var errDirectory = errors.New("a directory, not a tar file")

// NoImage returns an error of [Open] as a [*content.NoImageError] if there is no tar at path.
func NoImage(path string, err error) error {
	for _, none := range []error{errDirectory, ErrEmpty, errNoTar, content.ErrUnsupported} {
		if errors.Is(err, none) {
			return &content.NoImageError{Path: path, Err: err}
		}
	}
	return err
}

// ErrEmpty reports a file or a stream without a single byte, which is what a shell leaves of
// a command that failed.
var ErrEmpty = errors.New("it is empty; did the command that writes it fail?")

// Changed implements [content.Changer], if the tar does.
func (i *Image) Changed() bool { return changed(i.ReaderAt) }

// changed reports whether r is known to have changed.
func changed(r any) bool {
	c, ok := r.(content.Changer)
	return ok && c.Changed()
}

// New reads the headers of a tar. The image closes c; an error closes it too, and wraps
// [ErrEmpty] if there is nothing in it.
func New(r io.ReaderAt, c io.Closer) (*Image, error) {
	if n, err := r.ReadAt(make([]byte, 1), 0); n == 0 && err == io.EOF {
		c.Close()
		return nil, ErrEmpty
	}
	files, err := Index(r)
	if err != nil {
		err = content.BlameChange(r, err)
		c.Close()
		return nil, err
	}
	return &Image{r, c, files}, nil
}

// Spool brings a stream of a tar, compressed or not, into a temporary
// file. It returns early if ctx ends, also while r brings nothing.
func Spool(ctx context.Context, r io.Reader, tempDir string) (*Image, error) {
	type result struct {
		file *Image
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

func spoolTar(ctx context.Context, r io.Reader, tempDir string) (*Image, error) {
	raw := &faultReader{r: compress.Reader(ctx, r)}
	buffered := bufio.NewReaderSize(raw, 128<<10)
	first, err := buffered.Peek(compress.MagicSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	format := compress.Detect(first)
	plain, err := compress.NewReader(buffered, format)
	if raw.fault != nil {
		return nil, raw.fault
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", content.ErrUnsupported, err)
	}
	defer plain.Close()
	temp, err := tempfile.New(tempDir)
	if err != nil {
		return nil, err
	}
	var packed *int64
	if format != compress.None {
		packed = &raw.n
	}
	to := unpack.NewWriter(temp, filepath.Dir(temp.Name()), packed)
	to.Advice = "; if it is right, unpack it with another program and use the plain tar"
	if err := copyTar(to, plain); err != nil {
		temp.Close()
		if raw.fault != nil {
			return nil, raw.fault
		}
		return nil, err
	}
	return New(temp, temp)
}

// faultReader keeps the error that ended the reading, which would be taken for
// one in the content.
type faultReader struct {
	r     io.Reader
	n     int64 // bytes read
	fault error
}

func (r *faultReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
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
	err := Walk(io.TeeReader(r, out), func(*tar.Header, string, io.Reader) error { return nil })
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
