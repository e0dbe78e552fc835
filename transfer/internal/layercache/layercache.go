// Package layercache remembers what layers become when they are compressed, so
// that one that did not change is neither compressed nor hashed again. What it
// says is a hint: who uses it checks the bytes when they are needed.
package layercache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
)

// Dir is the directory of the cache, in which it alone has files; "" has nothing
// and takes nothing.
type Dir string

// Key is what the compressed bytes depend on.
type Key struct {
	DiffID  digest.Digest `json:"diffID"`  // of the uncompressed layer
	Version string        `json:"version"` // of the compression
}

// Layer is what the compressed bytes are.
type Layer struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"` // in bytes
}

const (
	suffix = ".json"
	// maxEntry is the largest file that is read, in bytes.
	maxEntry = 1 << 10
	// maxEntries and maxAge bound the cache.
	maxEntries = 4096
	maxAge     = 90 * 24 * time.Hour
	// touchAge is after which time a use of an entry is noted.
	touchAge = 24 * time.Hour
	// tempAge is after which time a temporary file has no writer any more.
	tempAge = time.Hour
)

// entry is a file of the cache. It repeats its key, since its name is only a hash.
type entry struct {
	Key
	Layer
}

func (d Dir) path(k Key) string {
	sum := sha256.Sum256([]byte(k.Version + "\n" + string(k.DiffID)))
	return filepath.Join(string(d), hex.EncodeToString(sum[:])+suffix)
}

// Get returns what is known of a layer. A malformed file is as
// good as none.
func (d Dir) Get(k Key, now time.Time) (Layer, bool) {
	if d == "" {
		return Layer{}, false
	}
	f, err := files.OpenOwn(d.path(k), os.O_RDONLY, 0)
	if err != nil {
		return Layer{}, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err != nil {
		return Layer{}, false
	}
	e, err := parse(data)
	if err != nil || e.Key != k {
		return Layer{}, false
	}
	if info, err := f.Stat(); err == nil && now.Sub(info.ModTime()) > touchAge {
		_ = os.Chtimes(f.Name(), now, now) // else it goes early, which does no harm
	}
	return e.Layer, true
}

// parse reads the content of a file.
func parse(data []byte) (entry, error) {
	var e entry
	if len(data) > maxEntry {
		return e, errors.New("too long")
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, err
	}
	for _, name := range []digest.Digest{e.DiffID, e.Digest} {
		if err := name.Validate(); err != nil || name.Algorithm() != digest.SHA256 {
			return e, fmt.Errorf("not a sha256 digest: %q", name)
		}
	}
	if e.Size <= 0 || e.Size > 1<<50 {
		return e, fmt.Errorf("size %d", e.Size)
	}
	return e, nil
}

// Put notes what a layer has become.
func (d Dir) Put(k Key, l Layer) error {
	if d == "" {
		return nil
	}
	data, err := json.Marshal(entry{k, l})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	// A file that is empty after a crash of the machine is as good as none.
	return files.WriteFileUnsynced(d.path(k), data, 0o600)
}

// Drop forgets a layer.
func (d Dir) Drop(k Key) error {
	if d == "" {
		return nil
	}
	if err := os.Remove(d.path(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sweep removes what has not been used for long, and the oldest if there are too many.
func (d Dir) Sweep(now time.Time) error {
	if d == "" {
		return nil
	}
	files, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	remove := func(name string) {
		if err2 := os.Remove(filepath.Join(string(d), name)); !errors.Is(err2, fs.ErrNotExist) {
			err = errors.Join(err, err2)
		}
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		age := now.Sub(info.ModTime())
		switch filepath.Ext(f.Name()) {
		case suffix:
			if age > maxAge {
				remove(f.Name())
			} else {
				kept = append(kept, info)
			}
		case ".tmp":
			if age > tempAge {
				remove(f.Name())
			}
		}
	}
	if len(kept) > maxEntries {
		slices.SortFunc(kept, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
		for _, info := range kept[:len(kept)-maxEntries] {
			remove(info.Name())
		}
	}
	return err
}
