package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// removeAll removes each file by its path if package os, which opens the directories
// and goes down in them, cannot do it.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil {
		return nil
	}
	var paths []string
	walkErr := filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		paths = append(paths, name)
		return err
	})
	if walkErr != nil {
		return err
	}
	for _, name := range slices.Backward(paths) {
		if os.Remove(name) != nil {
			return err
		}
	}
	return nil
}
