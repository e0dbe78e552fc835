package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/files"
)

// With [Options.Sync], what a change needs is on the disk before the change is, and that before it is acknowledged: the bytes
// of an upload, then the names of files, then the transaction. Files are removed after the transaction that lets go of them;
// if their removal is lost, Open removes them again.

// makeDirs makes a directory, which lasts with Options.Sync.
func (s *Store) makeDirs(path string) error {
	if !s.sync {
		return os.MkdirAll(path, 0o700)
	}
	return files.MakeDirs(path, 0o700)
}

// syncDir makes the names in a directory last, with Options.Sync.
func (s *Store) syncDir(path string) error {
	if !s.sync {
		return nil
	}
	return files.SyncDir(path)
}

// unsyncedPath is a file that exists when a process without Options.Sync has written to the store.
func (s *Store) unsyncedPath() string { return filepath.Join(s.dir, "unsynced") }

// syncEarlier makes last what earlier processes have written without Options.Sync. It is called before anything else is
// written.
func (s *Store) syncEarlier() error {
	if !s.sync {
		f, err := files.OpenRegular(s.unsyncedPath(), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	}
	_, err := os.Stat(s.unsyncedPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return files.SyncDir(s.dir) // the database may be new
	case err != nil:
		return err
	}
	if err := files.SyncTree(s.dir); err != nil {
		return err
	}
	return os.Remove(s.unsyncedPath())
}
