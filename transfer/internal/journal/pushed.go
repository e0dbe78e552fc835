package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

const (
	// maxPushedAge is how long it is remembered that something was pushed.
	maxPushedAge = 30 * 24 * time.Hour
	// cleanedEvery is how often old notes are looked for: who pushes many images must not read all notes for each of them.
	cleanedEvery = 24 * time.Hour
	// cleanedFile is a file whose time says when that was done.
	cleanedFile = "cleaned"
)

// Remember notes that something was pushed. As any entry it is a hint.
func (d Dir) Remember(key string, now time.Time) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	if err := d.forgetOld(now); err != nil {
		return err
	}
	// It is written even if it is there: its time says how old it is.
	return files.WriteFileUnsynced(d.pushed(key), nil, 0o600)
}

// Remembers reports whether something was pushed, as far as it is known.
func (d Dir) Remembers(key string) bool {
	_, err := os.Stat(d.pushed(key))
	return err == nil
}

func (d Dir) pushed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(string(d), hex.EncodeToString(sum[:]))
}

// forgetOld removes old notes, unless that was done a short while ago.
func (d Dir) forgetOld(now time.Time) error {
	if due, err := files.Due(filepath.Join(string(d), cleanedFile), now, cleanedEvery); !due || err != nil {
		return err
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < maxPushedAge {
			continue
		}
		if err := os.Remove(filepath.Join(string(d), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
