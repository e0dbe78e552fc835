// Package tarball reads the members of a tar as files, and writes a tar of members.
package tarball

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

func HasFile(files Files, name string) bool {
	_, err := files.Lookup(name)
	return err == nil
}

// DockerManifestFile names the images of a docker archive:
// https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md#combined-image-json--filesystem-changeset-format.
const DockerManifestFile = "manifest.json"

const (
	blockSize = 512 // of a tar
	// maxTarMembers and maxTarNames, in bytes, bound what is kept of a tar.
	maxTarMembers = 200_000
	maxTarNames   = 32 << 20
	// maxTarLinks is how many links may follow on one another.
	maxTarLinks = 8
)

// Files are the regular files of a tar by their cleaned names, and the links to
// them. Devices and the like are none of it.
type Files struct {
	Files map[string]*io.SectionReader
	Links map[string]string // to the name of a file or another link
	in    any               // the tar
	// cut is that the tar ends behind a member, without the blocks that mark its end: what is missing was cut off.
	cut bool
}

// cutError is that a file is missing in a tar that ends too early. It is an [fs.ErrNotExist] and a [content.ErrIntegrity].
type cutError struct{ error }

func (e cutError) Error() string {
	return fmt.Sprintf("ends too early; copy or make it again (%v)", e.error)
}

func (e cutError) Unwrap() []error { return []error{e.error, content.ErrIntegrity} }

// errNoTar is wrapped by the error of a file that is no tar from its first byte.
var errNoTar = errors.New("not a tar archive")

type noTarError struct{ error }

// Is makes the error an errNoTar.
func (noTarError) Is(target error) bool { return target == errNoTar }

func (e noTarError) Unwrap() error { return e.error }

// Walk reads the headers of a tar and calls visit with each and its cleaned
// name; visit of a reader that can seek need not read the content.
func Walk(r io.Reader, visit func(h *tar.Header, name string, content io.Reader) error) error {
	tr := tar.NewReader(r)
	names, members := 0, 0
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			switch {
			case members == 0 && errors.Is(err, io.ErrUnexpectedEOF):
				err = noTarError{fmt.Errorf("not a tar archive, or only the beginning of one (%w)", err)}
			case members == 0 && errors.Is(err, tar.ErrHeader):
				err = noTarError{fmt.Errorf("not a tar archive (%w)", err)}
			case errors.Is(err, io.ErrUnexpectedEOF):
				err = fmt.Errorf("the tar archive ends too early; copy or make it again (%w)", err)
			default:
				err = fmt.Errorf("the tar archive is damaged: %w", err)
			}
			return fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
		members++
		names += len(h.Name) + len(h.Linkname)
		if members > maxTarMembers || names > maxTarNames {
			return fmt.Errorf("%w: a tar file with more than %d members or %d bytes of names", content.ErrUnsupported, maxTarMembers, maxTarNames)
		}
		if err := visit(h, CleanName(h.Name), tr); err != nil {
			return err
		}
	}
}

// CleanName is a name from a tar as a path below its root.
func CleanName(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// Index notes where the content of each regular file is. Of two of the same
// name the later counts, as when a tar is unpacked.
func Index(f io.ReaderAt) (Files, error) {
	t := Files{Files: map[string]*io.SectionReader{}, Links: map[string]string{}, in: f}
	end := int64(0) // of the last member, with its padding
	whole := io.NewSectionReader(f, 0, 1<<62)
	err := Walk(whole, func(h *tar.Header, name string, _ io.Reader) error {
		delete(t.Files, name)
		delete(t.Links, name)
		start, err := whole.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		end = start
		if h.Typeflag == tar.TypeReg {
			end += (h.Size + blockSize - 1) / blockSize * blockSize
		}
		if target, ok := LinkOf(h, name); ok {
			t.Links[name] = target
			return nil
		}
		if h.Typeflag == tar.TypeReg {
			for key := range h.PAXRecords {
				if strings.HasPrefix(key, "GNU.sparse.") {
					return fmt.Errorf("%w: %q is a sparse file in the tar; pack it without sparse files", content.ErrUnsupported, name)
				}
			}
			t.Files[name] = io.NewSectionReader(f, start, h.Size)
		}
		return nil
	})
	if err == nil {
		_, markErr := f.ReadAt(make([]byte, blockSize), end)
		t.cut = end > 0 && markErr == io.EOF
	}
	return t, err
}

// LinkOf returns to what a member of a tar is a link, "" if that is outside of it; false
// if it is not a link.
func LinkOf(h *tar.Header, name string) (target string, ok bool) {
	switch h.Typeflag {
	case tar.TypeLink:
		return CleanName(h.Linkname), true
	case tar.TypeSymlink:
		target := path.Join(path.Dir(name), h.Linkname)
		if path.IsAbs(h.Linkname) || target == ".." || strings.HasPrefix(target, "../") {
			target = "" // leaves the archive: a link to nothing
		}
		return target, true
	}
	return "", false
}

// Lookup returns the content of a file, through links.
func (t Files) Lookup(name string) (*io.SectionReader, error) {
	at := CleanName(name)
	for range maxTarLinks {
		if section, ok := t.Files[at]; ok {
			return section, nil
		}
		target, ok := t.Links[at]
		if !ok {
			break
		}
		if at = target; at == "" {
			return nil, fmt.Errorf("%w: %q is a link out of the archive", content.ErrIntegrity, name)
		}
	}
	err := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	if t.cut {
		return nil, cutError{err}
	}
	return nil, err
}

// Open implements [fs.FS].
func (t Files) Open(name string) (fs.File, error) {
	section, err := t.Lookup(name)
	if err != nil {
		return nil, err
	}
	return NewFile(section, name, t.in), nil
}

// ReadDir implements [fs.ReadDirFS] with the files of a directory, and links to files;
// directories in it are left out.
func (t Files) ReadDir(name string) ([]fs.DirEntry, error) {
	dir := CleanName(name)
	var entries []fs.DirEntry
	for _, file := range slices.AppendSeq(slices.Collect(maps.Keys(t.Files)), maps.Keys(t.Links)) {
		if path.Dir("/"+file) != "/"+dir {
			continue
		}
		if section, err := t.Lookup(file); err == nil { // else a link to nothing
			entries = append(entries, fs.FileInfoToDirEntry(NewFile(section, file, t.in)))
		}
	}
	if entries == nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// File is an open file and its own [fs.FileInfo].
type File struct {
	tempfile.Section
	name string
	in   any
}

// NewFile returns the open file with these bytes, by its path in the tar in.
func NewFile(section *io.SectionReader, name string, in any) File {
	return File{tempfile.NewSection(section), path.Base(name), in}
}

// Changed implements [content.Changer], if the tar does.
func (f File) Changed() bool { return changed(f.in) }

func (f File) Stat() (fs.FileInfo, error) { return f, nil }

func (f File) Name() string { return f.name }

func (f File) Mode() fs.FileMode { return 0o444 }

func (f File) ModTime() time.Time { return time.Time{} }

func (f File) IsDir() bool { return false }

func (f File) Sys() any { return nil }
