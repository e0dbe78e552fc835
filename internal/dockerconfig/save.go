package dockerconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/files"
)

// BackupExtension is that of the copy that Save makes of what was there.
const BackupExtension = ".ecrkit-backup"

// Save writes the changes, whole or not at all, and returns the path of a copy of
// the file as it was; "" if it did not exist, or nothing has changed. A file that
// somebody else has changed since Load is left alone.
func (f *File) Save() (backup string, err error) {
	if bytes.Equal(f.text, f.original) || f.original == nil && string(f.text) == "{}" {
		return "", nil
	}
	now, err := files.Read(f.path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if !bytes.Equal(now, f.original) {
		return "", fmt.Errorf("%s was changed by somebody else in the meantime; try again", f.path)
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return "", err
	}
	mode := fs.FileMode(0o600)
	info, statErr := os.Stat(f.path)
	if statErr == nil {
		mode = info.Mode().Perm()
		backup = f.path + BackupExtension
		if err := files.Replace(backup, f.original, 0o600, info); err != nil {
			return "", err
		}
	}
	if f.secret {
		mode &^= 0o077
	}
	if err := files.Replace(f.path, f.text, mode, info); err != nil {
		return backup, err
	}
	f.original = bytes.Clone(f.text)
	return backup, nil
}
