package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// Check reads all keys, and their states, below dir, which has the directories of stores: ACCOUNT/REGION.
func Check(dir string, now func() time.Time) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	for _, path := range paths {
		s, err := Open(path, filepath.Base(filepath.Dir(path)), filepath.Base(path), now)
		if err != nil {
			return err
		}
		for _, k := range s.keys {
			if _, err := s.state(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// Copy copies the directories of stores below a directory, which only the owner can read. A missing one is empty.
func Copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, relative), 0o700)
		}
		data, err := files.Read(path, 1<<20)
		if err != nil {
			return err
		}
		return files.WriteFileUnsynced(filepath.Join(to, relative), data, 0o600)
	})
}
