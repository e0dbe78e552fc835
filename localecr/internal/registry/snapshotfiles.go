package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/files"
)

// ErrSnapshotDamaged means that a snapshot is not whole, as after a loss of power without [Options.Sync].
var ErrSnapshotDamaged = errors.New("the snapshot is damaged; remove it and make it again")

// snapshotSum has the SHA-256 of snapshotDatabase, in hexadecimal. Snapshots of earlier versions do not have it.
const snapshotSum = snapshotDatabase + ".sha256"

// copyDatabase writes the database, and its sum, to the directory of a snapshot.
func copyDatabase(tx *bolt.Tx, dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, snapshotDatabase), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = tx.WriteTo(io.MultiWriter(f, sum))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return files.WriteFileUnsynced(filepath.Join(dir, snapshotSum), fmt.Appendf(nil, "%x\n", sum.Sum(nil)), 0o600)
}

// openSnapshot opens the database of a snapshot, which nothing changes.
func openSnapshot(dir string) (*bolt.DB, error) {
	path := filepath.Join(dir, snapshotDatabase)
	want, err := files.Read(filepath.Join(dir, snapshotSum), 1<<10)
	if err == nil {
		err = checkSum(path, want)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(path)
	}
	if err == nil && info.Size() == 0 { // bbolt would begin a new one
		err = fmt.Errorf("%s is empty: %w", snapshotDatabase, ErrSnapshotDamaged)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrSnapshotDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", snapshotDatabase, ErrSnapshotDamaged, err)
	}
	return db, nil
}

// checkSum checks that the file at path has the SHA-256 in want.
func checkSum(path string, want []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != string(bytes.TrimSpace(want)) {
		return fmt.Errorf("%s has the SHA-256 %s, and not that in %s: %w", snapshotDatabase, got, snapshotSum, ErrSnapshotDamaged)
	}
	return nil
}

// checkSnapshot reads all of the database of a snapshot, and looks for its layers, before the store changes.
func checkSnapshot(tx *bolt.Tx, dir string) (err error) {
	// bbolt panics over a page that is not what it should be. One behind the end of a file that was cut would end the process.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("a page of %s cannot be read: %w", snapshotDatabase, ErrSnapshotDamaged)
		}
	}()
	if err := tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return readBucket(b) }); err != nil {
		return err
	}
	blobs := tx.Bucket(bucketBlobs)
	if blobs == nil {
		return fmt.Errorf("%s has no list of layers: %w", snapshotDatabase, ErrSnapshotDamaged)
	}
	return blobs.ForEach(func(digest, data []byte) error {
		var record blobRecord
		if err := json.Unmarshal(data, &record); err != nil {
			return fmt.Errorf("layer %s: %w: %w", digest, ErrSnapshotDamaged, err)
		}
		info, err := os.Stat(blobPath(filepath.Join(dir, "blobs"), string(digest)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("layer %s is missing: %w", digest, ErrSnapshotDamaged)
		case err != nil:
			return err
		case info.Size() != record.Size:
			return fmt.Errorf("layer %s has %d bytes, and not %d: %w", digest, info.Size(), record.Size, ErrSnapshotDamaged)
		}
		return nil
	})
}

// readBucket reads each byte of a bucket, and of those below it.
func readBucket(b *bolt.Bucket) error {
	return b.ForEach(func(key, value []byte) error {
		if value == nil {
			return readBucket(b.Bucket(key))
		}
		_ = crc32.ChecksumIEEE(value)
		return nil
	})
}
