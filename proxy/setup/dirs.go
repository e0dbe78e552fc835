package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// madeName is a file in each directory that setup made: no engine reads it.
	madeName = ".ecrkit-proxy"
	madeText = "Made by ecrkit proxy setup, which removes this directory too if nothing else is in it.\n"
)

// makeDirs makes a directory, with those above it, and notes in each that it is ours.
func makeDirs(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) { // somebody else was faster
		return nil
	} else if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, madeName), []byte(madeText), 0o644)
}

// removeDirs removes a directory, and those above it, as far as they are ours and have nothing else.
func removeDirs(dir string) {
	for ; ; dir = filepath.Dir(dir) {
		found, err := os.ReadDir(dir)
		if err != nil || len(found) != 1 || found[0].Name() != madeName || !found[0].Type().IsRegular() {
			return
		}
		// What cannot be removed stays: it does no harm.
		if os.Remove(filepath.Join(dir, madeName)) != nil || os.Remove(dir) != nil {
			return
		}
	}
}
