package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// MakeDirs is os.MkdirAll for directories that last: it syncs each directory in which it makes one.
func MakeDirs(path string, perm fs.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MakeDirs(parent, perm); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(path, perm); err != nil { // another process may have made it
		return err
	}
	return SyncDir(parent)
}

// SyncTree makes the files and directories in a directory, and below it, last.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return SyncDir(path)
		case d.Type().IsRegular():
			return syncFile(path)
		default:
			return nil
		}
	})
}

func syncFile(path string) error {
	flag := os.O_RDONLY
	if runtime.GOOS == "windows" { // which syncs only what is open for writing
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
