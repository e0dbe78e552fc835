package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/files"
)

// newDatabase makes the database at path, whole or not at all, unless there is one: bbolt writes its first pages in place, and a
// loss of power between them would leave a file that it cannot open.
func newDatabase(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := files.Create(path, 0o600)
	if err != nil {
		return err
	}
	defer f.Discard()
	db, err := bolt.Open(f.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(createTopBuckets), db.Close()); err != nil {
		return err
	}
	err = f.CommitNew()
	if _, missing := os.Lstat(path); missing == nil {
		return nil // of another process, which may have removed f then
	}
	return err
}

// removeNewDatabases removes what processes that were killed in newDatabase have left.
func (s *Store) removeNewDatabases() error {
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), files.TempPrefix) {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) // on Windows, another process may have it open
		}
	}
	return err
}
