package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/files"
)

// snapshotDatabase is the copy of the database in the directory of a snapshot. The layers are beside it, named as in the
// store.
const snapshotDatabase = "metadata.db"

// topBuckets are those that every database has.
var topBuckets = [][]byte{bucketRegistries, bucketBlobs, bucketUploads, bucketSignings, bucketReplications, bucketBackfills, bucketBackfillResults, bucketBackfillSteps}

// Snapshot writes the state of the store to dir, which exists and is empty: a copy of the database and hard links to the
// layers, or copies of them where dir cannot have links. Uploads that are not complete are not part of it.
func (s *Store) Snapshot(dir string) error {
	s.blobs.Lock() // no layer comes or goes between the database and its files
	defer s.blobs.Unlock()
	err := s.db.View(func(tx *bolt.Tx) error {
		if err := copyDatabase(tx, dir); err != nil {
			return err
		}
		return tx.Bucket(bucketBlobs).ForEach(func(digest, _ []byte) error {
			return linkOrCopy(s.blobPath(string(digest)), blobPath(filepath.Join(dir, "blobs"), string(digest)))
		})
	})
	if err != nil {
		return fmt.Errorf("snapshot in %s: %w", dir, err)
	}
	return nil
}

// Restore puts the store into the state of a snapshot. Uploads that are not complete are cancelled. After an error, which
// wraps [ErrSnapshotDamaged] if the snapshot is not whole, the store is as it was.
func (s *Store) Restore(dir string) (err error) {
	db, err := openSnapshot(dir)
	if err != nil {
		return fmt.Errorf("snapshot in %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(func(from *bolt.Tx) error {
		if err := checkSnapshot(from, dir); err != nil {
			return fmt.Errorf("snapshot in %s: %w", dir, err)
		}
		return s.replace(func(to *bolt.Tx) error {
			err := from.ForEach(func(name []byte, b *bolt.Bucket) error {
				if string(name) == string(bucketUploads) {
					return nil
				}
				made, err := to.CreateBucket(name)
				if err != nil {
					return err
				}
				return copyBucket(b, made)
			})
			if err != nil {
				return err
			}
			err = to.Bucket(bucketBlobs).ForEach(func(digest, _ []byte) error {
				err := linkOrCopy(blobPath(filepath.Join(dir, "blobs"), string(digest)), s.blobPath(string(digest)))
				if errors.Is(err, fs.ErrExist) {
					return nil
				}
				return err
			})
			if err == nil && s.sync {
				err = files.SyncTree(s.blobsDir()) // before the transaction that names them
			}
			return err
		})
	})
}

// Clear empties the store: it has no registry, layer or upload any more.
func (s *Store) Clear() error { return s.replace(func(*bolt.Tx) error { return nil }) }

// replace puts what fill writes into an empty database in the place of all that the store has, and removes the files that
// are no longer needed.
func (s *Store) replace(fill func(*bolt.Tx) error) error {
	s.previews.Lock() // the results of one preview are in several transactions
	defer s.previews.Unlock()
	s.blobs.Lock()
	defer s.blobs.Unlock()
	var uploads []fs.DirEntry
	err := s.db.Update(func(tx *bolt.Tx) (err error) {
		if uploads, err = os.ReadDir(s.uploadsDir()); err != nil {
			return err
		}
		for _, name := range topBuckets {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		if err := fill(tx); err != nil {
			return err
		}
		return createTopBuckets(tx)
	})
	if err != nil {
		return errors.Join(fmt.Errorf("replace the data in %s: %w", s.dir, err), s.db.View(s.removeOrphanBlobs))
	}
	s.mu.Lock()
	clear(s.uploads)
	s.mu.Unlock()
	for _, u := range uploads {
		_ = os.Remove(s.uploadPath(u.Name())) // if this fails, Open does it: nothing names the file any more
	}
	return s.db.View(s.removeOrphanBlobs)
}

func createTopBuckets(tx *bolt.Tx) error {
	for _, name := range topBuckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// copyBucket copies what is in a bucket, and below it, to an empty one. Values stay those of from until the transaction
// of to ends.
func copyBucket(from, to *bolt.Bucket) error {
	to.FillPercent = 0.9 // keys come in order
	if err := to.SetSequence(from.Sequence()); err != nil {
		return err
	}
	return from.ForEach(func(key, value []byte) error {
		if value != nil {
			return to.Put(key, value)
		}
		made, err := to.CreateBucket(key)
		if err != nil {
			return err
		}
		return copyBucket(from.Bucket(key), made)
	})
}

// linkOrCopy makes the file at path, whose directory need not exist, another name of the file from or a copy of it. The
// error wraps fs.ErrExist if there is a file.
func linkOrCopy(from, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	err := os.Link(from, path)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() // opened for reading
	copied, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, source)
	if err = errors.Join(err, copied.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
