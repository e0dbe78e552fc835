package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecrkit/ecrkit/internal/files"
)

// outputFile is a file that a result goes to beside stdout. It is opened before the
// work begins, so that a path that cannot be written is found out then, and a file at
// the path is replaced when all is written and not before.
type outputFile struct {
	path   string
	file   *files.File
	stream io.WriteCloser // in the place of file: is written as it is
}

// createOutput opens what is to be at path. A link is replaced and not followed, as by all that writes a file by its name:
// whoever supplied the directory may have put it there. A device or a pipe is written to, also through a link.
func (app *App) createOutput(path string) (*outputFile, error) {
	if path == "-" {
		return nil, usagef("- is not stdout here; name a file")
	}
	if err := checkFileName(path); err != nil {
		return nil, err
	}
	o, err := app.openOutput(path)
	var file *fs.PathError
	if errors.As(err, &file) { // not of what is written beside it at first
		err = &fs.PathError{Op: file.Op, Path: path, Err: file.Err}
	}
	return o, err
}

func (app *App) openOutput(path string) (*outputFile, error) {
	o := &outputFile{path: path}
	info, err := os.Lstat(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && isStream(path, info):
		o.stream, err = files.OpenPipe(app.context(), path)
		return o, err
	}
	exists := err == nil && info.Mode().IsRegular()
	if o.file, err = files.Create(path, 0o666); exists && files.IsReadOnly(err) {
		// The file may be open to writing although its directory is not.
		o.stream, err = files.OpenRegular(path, os.O_WRONLY, 0)
	}
	return o, err
}

// openAppended opens a file that is appended to. A link to a file is refused: appending cannot replace it.
func (app *App) openAppended(path string, perm fs.FileMode) (io.WriteCloser, error) {
	if err := checkFileName(path); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && isStream(path, info):
		return files.OpenPipe(app.context(), path)
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return nil, errors.New(path + " is a symbolic link; name the file that it leads to")
	}
	return files.OpenRegular(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, perm)
}

// isStream reports whether path is no file but a device or a pipe, or leads to one. So does what the system itself keeps
// as a link, such as /dev/stdout, wherever that leads.
func isStream(path string, info fs.FileInfo) bool {
	if info.Mode()&fs.ModeSymlink == 0 {
		return !info.Mode().IsRegular()
	}
	if absolute, err := filepath.Abs(path); err == nil {
		dir := filepath.ToSlash(filepath.Dir(absolute))
		if dir == "/dev" || dir == "/dev/fd" || strings.HasPrefix(dir, "/proc/") {
			return true
		}
	}
	target, err := os.Stat(path)
	return err == nil && !target.Mode().IsRegular()
}

// createDerived is createOutput for a path that the user did not choose: whoever supplied
// the directory may have put a link or a pipe there.
func createDerived(path string) (*outputFile, error) {
	if err := checkFileName(path); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, usagef("%s is there and is not a regular file; remove it, or choose another file", path)
	}
	file, err := files.Create(path, 0o666)
	return &outputFile{path: path, file: file}, err
}

// checkFileName returns an error if Windows takes the name of a file that is to be written for something else. Only the
// null device is taken: results that nobody wants go there.
func checkFileName(path string) error {
	if strings.EqualFold(path, os.DevNull) {
		return nil
	}
	if err := files.CheckName(path); err != nil {
		return usageError{err}
	}
	return nil
}

// commit writes all of it.
func (o *outputFile) commit(data []byte) error {
	if o.stream != nil {
		return o.overwrite(data)
	}
	if _, err := o.file.Write(data); err != nil {
		return err
	}
	return o.file.Commit()
}

func (o *outputFile) overwrite(data []byte) error {
	if file, ok := o.stream.(interface {
		Stat() (fs.FileInfo, error)
		Truncate(size int64) error
	}); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			if err := file.Truncate(0); err != nil {
				return err
			}
		}
	}
	_, err := o.stream.Write(data)
	return errors.Join(err, o.stream.Close())
}

// discard leaves path as it was, unless commit has succeeded.
func (o *outputFile) discard() {
	if o.stream != nil {
		o.stream.Close()
		return
	}
	o.file.Discard()
}

// writeOutput writes a result to a file beside stdout, whole or not at all.
func (app *App) writeOutput(path string, data []byte) error {
	o, err := app.createOutput(path)
	if err != nil {
		return err
	}
	defer o.discard()
	return o.commit(data)
}
