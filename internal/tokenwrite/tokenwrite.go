// Package tokenwrite replaces files of the token cache on disk, for package auth/tokenstore
// and for the credential helper, which adds shortcuts to them.
package tokenwrite

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

const (
	// BadExt is the extension of a directory that was in the way of a file.
	BadExt = ".bad"
	// TempExt comes after the extension of a file while that is being written.
	TempExt = ".tmp"
)

// Replace puts data in the place of a key's file, whole or not at all. Its time becomes until. The
// caller holds the lock of the key, and so the directory exists and is private.
func Replace(dir tokenfile.Dir, key tokenfile.Key, ext string, data []byte, until time.Time) error {
	final := dir.File(key, ext)
	if info, err := os.Lstat(final); err == nil && info.IsDir() && os.Remove(final) != nil {
		// A directory in the way is put aside; if it can't be, the commit fails.
		_ = files.Rename(final, dir.File(key, BadExt))
	}
	if err := commit(dir.File(key, ext+TempExt), final, data, until); err != nil {
		return fmt.Errorf("token cache: %w", err)
	}
	return nil
}

// commit writes a file by way of temp. One name a key: what a killed writer left
// behind is written over by the next.
func commit(temp, path string, data []byte, until time.Time) error {
	f, err := files.CreateAs(temp, path, 0o600)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := tokenfile.MakePrivate(temp); err != nil {
		return err
	}
	if err := os.Chtimes(temp, until, until); err != nil {
		return err
	}
	if err := f.CommitUnsynced(); err != nil {
		return err
	}
	return files.SyncDir(filepath.Dir(path))
}
