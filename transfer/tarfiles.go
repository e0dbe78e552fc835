package transfer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

const (
	// maxTarMembers and maxTarNames, in bytes, bound what is kept of a tar.
	maxTarMembers = 200_000
	maxTarNames   = 32 << 20
	// maxTarLinks is how many links may follow on one another.
	maxTarLinks = 8
)

// tarFiles are the regular files of a tar by their cleaned names, and the links to
// them. Devices and the like are none of it.
type tarFiles struct {
	files map[string]*io.SectionReader
	links map[string]string // to the name of a file or another link
}

// tarWalk reads the headers of a tar and calls visit with each and its cleaned
// name; visit of a reader that can seek need not read the content.
func tarWalk(r io.Reader, visit func(h *tar.Header, name string, content io.Reader) error) error {
	tr := tar.NewReader(r)
	names, members := 0, 0
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("%w: not a tar file, or only a part of one: %w", ErrIntegrity, err)
		}
		members++
		names += len(h.Name) + len(h.Linkname)
		if members > maxTarMembers || names > maxTarNames {
			return fmt.Errorf("%w: a tar file with more than %d members or %d bytes of names", ErrUnsupported, maxTarMembers, maxTarNames)
		}
		if err := visit(h, cleanTarName(h.Name), tr); err != nil {
			return err
		}
	}
}

// cleanTarName is a name from a tar as a path below its root.
func cleanTarName(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// indexTar notes where the content of each regular file is. Of two of the same
// name the later counts, as when a tar is unpacked.
func indexTar(f io.ReaderAt) (tarFiles, error) {
	t := tarFiles{map[string]*io.SectionReader{}, map[string]string{}}
	whole := io.NewSectionReader(f, 0, 1<<62)
	err := tarWalk(whole, func(h *tar.Header, name string, _ io.Reader) error {
		delete(t.files, name)
		delete(t.links, name)
		switch h.Typeflag {
		case tar.TypeReg:
			for key := range h.PAXRecords {
				if strings.HasPrefix(key, "GNU.sparse.") {
					return fmt.Errorf("%w: %q is a sparse file in the tar; pack it without --sparse", ErrUnsupported, name)
				}
			}
			start, err := whole.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			t.files[name] = io.NewSectionReader(f, start, h.Size)
		case tar.TypeLink:
			t.links[name] = cleanTarName(h.Linkname)
		case tar.TypeSymlink:
			target := path.Join(path.Dir(name), h.Linkname)
			if path.IsAbs(h.Linkname) || target == ".." || strings.HasPrefix(target, "../") {
				target = "" // leaves the archive: a link to nothing
			}
			t.links[name] = target
		}
		return nil
	})
	return t, err
}

// lookup gives the content of a file, through links.
func (t tarFiles) lookup(name string) (*io.SectionReader, error) {
	at := cleanTarName(name)
	for range maxTarLinks {
		if section, ok := t.files[at]; ok {
			return section, nil
		}
		target, ok := t.links[at]
		if !ok {
			break
		}
		if at = target; at == "" {
			return nil, fmt.Errorf("%w: %q is a link out of the archive", ErrIntegrity, name)
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Open implements [fs.FS].
func (t tarFiles) Open(name string) (fs.File, error) {
	section, err := t.lookup(name)
	if err != nil {
		return nil, err
	}
	return tarFile{newSectionFile(section), path.Base(name)}, nil
}

// tarFile is an open file and its own [fs.FileInfo].
type tarFile struct {
	sectionFile
	name string
}

func (f tarFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f tarFile) Name() string               { return f.name }
func (f tarFile) Mode() fs.FileMode          { return 0o444 }
func (f tarFile) ModTime() time.Time         { return time.Time{} }
func (f tarFile) IsDir() bool                { return false }
func (f tarFile) Sys() any                   { return nil }
