package transfer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Archive is an OCI image layout in a tar file that is not compressed, as
// [Source] only.
type Archive struct {
	layoutReader
	file *os.File
}

var _ Source = (*Archive)(nil)

// OpenArchive opens the tar file and notes where its members are. The caller
// closes it.
func OpenArchive(name string) (*Archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	files, err := indexTar(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s:%s: %w", KindArchive, name, err)
	}
	return &Archive{layoutReader{files: files, name: string(KindArchive) + ":" + name}, f}, nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }

// tarFiles are the regular files of a tar by their cleaned names.
type tarFiles map[string]*io.SectionReader

// indexTar notes where the content of each regular file is. Of two of the same
// name the later counts, as when a tar is unpacked.
func indexTar(f io.ReaderAt) (tarFiles, error) {
	files := tarFiles{}
	whole := io.NewSectionReader(f, 0, 1<<62)
	tr := tar.NewReader(whole)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("%w: not an uncompressed tar file: %w", ErrIntegrity, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		start, err := whole.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		files[name] = io.NewSectionReader(f, start, h.Size)
	}
}

// Open implements [fs.FS].
func (t tarFiles) Open(name string) (fs.File, error) {
	section, ok := t[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return tarFile{io.NewSectionReader(section, 0, section.Size()), path.Base(name)}, nil
}

// tarFile is an open file and its own [fs.FileInfo].
type tarFile struct {
	*io.SectionReader
	name string
}

func (f tarFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f tarFile) Close() error               { return nil }
func (f tarFile) Name() string               { return f.name }
func (f tarFile) Mode() fs.FileMode          { return 0o444 }
func (f tarFile) ModTime() time.Time         { return time.Time{} }
func (f tarFile) IsDir() bool                { return false }
func (f tarFile) Sys() any                   { return nil }
