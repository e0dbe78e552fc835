package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/files"
)

// blobRecord counts the repositories that have a layer. Its file goes when the last one lets go.
type blobRecord struct {
	Size         int64 `json:"size"`
	Repositories int   `json:"repositories"`
}

func (s *Store) blobsDir() string   { return filepath.Join(s.dir, "blobs", "sha256") }
func (s *Store) uploadsDir() string { return filepath.Join(s.dir, "uploads") }

// blobPath is the file of a layer's bytes. The digest is a valid one.
func (s *Store) blobPath(digest string) string {
	return blobPath(filepath.Join(s.dir, "blobs"), digest)
}

// blobPath is the file of a layer's bytes in a directory of layers.
func blobPath(dir, digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(dir, "sha256", hex[:2], hex)
}

// retain counts one more repository that has the blob.
func retain(tx *bolt.Tx, digest string, size int64) error {
	b := tx.Bucket(bucketBlobs)
	rec := blobRecord{Size: size}
	if _, err := getJSON(b, []byte(digest), &rec); err != nil {
		return err
	}
	rec.Repositories++
	return putJSON(b, []byte(digest), rec)
}

// release counts one repository less and reports whether it was the last.
func release(tx *bolt.Tx, digest string) (last bool, err error) {
	b := tx.Bucket(bucketBlobs)
	var rec blobRecord
	if _, err := getJSON(b, []byte(digest), &rec); err != nil {
		return false, err
	}
	if rec.Repositories--; rec.Repositories > 0 {
		return false, putJSON(b, []byte(digest), rec)
	}
	return true, b.Delete([]byte(digest))
}

// releasing runs a transaction that takes layers out of a repository, once for each digest that f
// returns, and then removes the files that no repository has any more.
func (s *Store) releasing(f func(*bolt.Tx) ([]string, error)) error {
	s.blobs.Lock()
	defer s.blobs.Unlock()
	var unused []string
	err := s.db.Update(func(tx *bolt.Tx) error {
		digests, err := f(tx)
		if err != nil {
			return err
		}
		for _, digest := range digests {
			last, err := release(tx, digest)
			if err != nil {
				return err
			}
			if last {
				unused = append(unused, digest)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, digest := range unused {
		if err := os.Remove(s.blobPath(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("layer %s: %w", digest, err))
		}
	}
	return errors.Join(errs...)
}

// placeBlob makes the verified file of an upload the file of a blob. The upload keeps its own name
// for it until the transaction that completes it is done.
func (s *Store) placeBlob(upload, digest string) error {
	path := s.blobPath(digest)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Link(upload, path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := files.Rename(upload, path); err != nil { // a file system without hard links
			return err
		}
	}
	// The upper one too, in any case: another upload may have made the lower one in it just now.
	return errors.Join(s.syncDir(filepath.Dir(path)), s.syncDir(s.blobsDir()))
}

// removeOrphans removes the files that nothing in the database names: those of a process that was
// killed between a file and its transaction. It cuts uploads down to what was acknowledged.
func (s *Store) removeOrphans() error {
	if err := s.removeNewDatabases(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		if err := s.removeOrphanBlobs(tx); err != nil {
			return err
		}
		entries, err := os.ReadDir(s.uploadsDir())
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(s.uploadsDir(), e.Name())
			var rec uploadRecord
			known, err := getJSON(tx.Bucket(bucketUploads), []byte(e.Name()), &rec)
			if err != nil {
				return err
			}
			if !known {
				if err := os.Remove(path); err != nil {
					return err
				}
				continue
			}
			if err := os.Truncate(path, rec.Received); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeOrphanBlobs removes the files of layers that the database does not name.
func (s *Store) removeOrphanBlobs(tx *bolt.Tx) error {
	return filepath.WalkDir(s.blobsDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if tx.Bucket(bucketBlobs).Get([]byte("sha256:"+d.Name())) == nil {
			return os.Remove(path)
		}
		return nil
	})
}
