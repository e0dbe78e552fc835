package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/files"
)

// maxFile bounds the files that are read, in bytes.
const maxFile = 4 << 20

// textFile is a file of an engine.
type textFile struct {
	path     string // with symbolic links resolved
	original []byte // nil if there is no file
	text     []byte // nil is to be no file
}

// load reads a file, if there is one.
func load(path string) (*textFile, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is a link to a file that does not exist; create that file or remove the link", path)
	}
	data, err := files.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &textFile{path: path}, nil
	}
	return &textFile{path: path, original: append([]byte{}, data...)}, err
}

// save writes the text, whole or not at all, or removes a file that is to have none. A file that
// somebody else has changed since load is left alone.
func (f *textFile) save() (FileState, error) {
	if bytes.Equal(f.text, f.original) {
		return Unchanged, nil
	}
	now, err := files.Read(f.path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if !bytes.Equal(now, f.original) {
		return "", fmt.Errorf("%s was changed by somebody else in the meantime; try again", f.path)
	}
	if f.text == nil {
		if err := os.Remove(f.path); err != nil {
			return "", err
		}
		removeDirs(filepath.Dir(f.path))
		return Removed, nil
	}
	mode := fs.FileMode(0o644)
	info, err := os.Stat(f.path)
	if err == nil {
		mode = info.Mode().Perm()
	} else if err := makeDirs(filepath.Dir(f.path)); err != nil {
		return "", err
	}
	if err := files.Replace(f.path, f.text, mode, info); err != nil {
		removeDirs(filepath.Dir(f.path))
		return "", err
	}
	return Written, nil
}
