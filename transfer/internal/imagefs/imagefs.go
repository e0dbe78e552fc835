// Package imagefs opens and reads the files of an image in a directory or a tar, within limits.
package imagefs

import (
	"fmt"
	"io/fs"
	"os"

	localfiles "github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// OpenFile opens a regular file of the given size; -1 is any size. It is a [content.Changer], if it is an [os.File] or
// in a tar that is one.
func OpenFile(files fs.FS, name string, size int64) (fs.File, error) {
	info, err := fs.Stat(files, name) // before Open, which would wait at a named pipe
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", content.ErrIntegrity, name)
	}
	if size >= 0 && info.Size() != size {
		return nil, &content.SizeError{Object: name, Has: info.Size(), Says: size}
	}
	f, err := files.Open(name)
	if file, ok := f.(*os.File); ok {
		return localfiles.Watch(file), err
	}
	return f, err
}

func ReadFile(files fs.FS, name string, limit int64) ([]byte, error) {
	f, err := OpenFile(files, name, -1)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := content.ReadLimited(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
