package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// outputFile is a file that a result goes to beside stdout. It is opened before the
// work begins, so that a path that cannot be written is found out then, and a file at
// the path is replaced when all is written and not before.
type outputFile struct {
	*os.File
	path string
	temp bool // the file is beside path
}

// createOutput opens what is to be at path. A device or a pipe is written as it is.
func createOutput(path string) (*outputFile, error) {
	info, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &outputFile{File: f, path: path}, err
	}
	// Not os.CreateTemp: the mode is that of the user's files.
	name := fmt.Sprintf(".%s.%016x.part", filepath.Base(path), rand.Uint64())
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	return &outputFile{File: f, path: path, temp: true}, err
}

// commit writes all of it.
func (o *outputFile) commit(data []byte) error {
	if info, err := o.Stat(); err == nil && info.Mode().IsRegular() {
		if err := o.Truncate(0); err != nil {
			return err
		}
	}
	_, err := o.Write(data)
	if err = errors.Join(err, o.Close()); err != nil || !o.temp {
		return err
	}
	return os.Rename(o.Name(), o.path)
}

// discard leaves path as it was, unless commit has succeeded.
func (o *outputFile) discard() {
	o.Close()
	if o.temp {
		os.Remove(o.Name())
	}
}
