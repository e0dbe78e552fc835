package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Cache keeps blobs and manifests by their digest in a directory that it alone uses. What
// was used least recently is removed first. Files that an ended process left incomplete are
// removed when it is opened.
//
// The first use of an entry after the cache was opened hashes it; one whose bytes have
// another digest is removed, and fetched again.
type Cache struct {
	dir  string
	max  int64 // in bytes
	lock *files.Lock
	now  func() time.Time
	free func() (int64, error) // bytes of the file system
	// createFile creates a file for what is incomplete.
	createFile func() (*os.File, error)
	// written returns the error of a write at an offset; nil is that of the disk.
	written func(off int64) error

	mu      sync.Mutex
	used    int64 // bytes of entries and of reserved room
	corrupt int   // entries that had other bytes
	entries map[digest.Digest]*entry
}

// entry is one file of the cache.
type entry struct {
	size     int64
	lastUse  time.Time
	modified time.Time // of the file when it was checked; zero is not checked
}

// errNoRoom reports that something is not kept.
var errNoRoom = errors.New("the cache has no room")

// errMoved reports that what was on its way has just become an entry.
var errMoved = errors.New("it is in the cache now")

const (
	blobsDir   = "blobs"
	partialDir = "partial"
	lockName   = "lock"
	// leaveFree is how many bytes of the file system are left to others.
	leaveFree = 256 << 20
)

// ErrInUse is wrapped by the error about a cache that another process, or another [Cache] of this one, uses.
var ErrInUse = files.ErrLocked

// OpenCache opens the cache in dir, which is created with mode 0700, for at most size
// bytes. The error wraps [ErrInUse] if another process has it.
func OpenCache(dir string, size int64) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// One after the other: nothing is made or removed where a link leads.
	for _, d := range []string{dir, filepath.Join(dir, blobsDir), filepath.Join(dir, partialDir), filepath.Join(dir, grantsDir)} {
		if err := files.PrivateDir(d); err != nil {
			return nil, err
		}
	}
	lock, err := files.Try(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", dir, err)
	}
	c := &Cache{dir: dir, max: size, lock: lock, now: time.Now, entries: map[digest.Digest]*entry{}}
	c.free = func() (int64, error) { free, _, err := files.Free(dir); return free, err }
	c.createFile = func() (*os.File, error) { return os.CreateTemp(filepath.Join(dir, partialDir), "*") }
	if err := c.load(); err != nil {
		lock.Release()
		return nil, fmt.Errorf("cache %s: %w", dir, err)
	}
	return c, nil
}

// Close lets other processes use the directory.
func (c *Cache) Close() { c.lock.Release() }

// load finds what earlier processes left, and removes what is incomplete or too much.
func (c *Cache) load() error {
	left, err := os.ReadDir(filepath.Join(c.dir, partialDir))
	if err != nil {
		return err
	}
	for _, f := range left {
		if strings.Trim(f.Name(), "0123456789") != "" {
			continue // not of [partial.create]
		}
		if err := os.Remove(filepath.Join(c.dir, partialDir, f.Name())); err != nil {
			return err
		}
	}
	if err := pruneGrants(c.dir); err != nil {
		return err
	}
	kept, err := os.ReadDir(filepath.Join(c.dir, blobsDir))
	if err != nil {
		return err
	}
	for _, f := range kept {
		info, err := f.Info()
		if err != nil {
			return err
		}
		d := digest.NewDigestFromEncoded(digest.SHA256, f.Name())
		if !info.Mode().IsRegular() || d.Validate() != nil {
			continue
		}
		c.entries[d] = &entry{size: info.Size(), lastUse: info.ModTime()}
		c.used += info.Size()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.makeRoom(0)
	return nil
}

func (c *Cache) path(d digest.Digest) string { return filepath.Join(c.dir, blobsDir, d.Encoded()) }

// makeRoom removes what was used least recently until n more bytes fit, and reports
// whether they do. The caller holds the lock.
func (c *Cache) makeRoom(n int64) bool {
	if n > c.max {
		return false
	}
	if c.used+n <= c.max {
		return true
	}
	oldest := make([]digest.Digest, 0, len(c.entries))
	for d := range c.entries {
		oldest = append(oldest, d)
	}
	slices.SortFunc(oldest, func(a, b digest.Digest) int {
		return cmp.Or(c.entries[a].lastUse.Compare(c.entries[b].lastUse), cmp.Compare(a, b))
	})
	for _, d := range oldest {
		if c.used+n <= c.max {
			break
		}
		c.remove(d)
	}
	return c.used+n <= c.max
}

// remove removes an entry. Who reads it keeps its open file. The caller holds the lock.
func (c *Cache) remove(d digest.Digest) {
	if e := c.entries[d]; e != nil {
		if err := os.Remove(c.path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // it still takes its room
		}
		c.used -= e.size
		delete(c.entries, d)
	}
}

// open opens an entry, whose bytes are those of d. The error wraps [content.ErrNotFound] if
// there is none.
func (c *Cache) open(ctx context.Context, d digest.Digest) (*os.File, error) {
	c.mu.Lock()
	e := c.entries[d]
	c.mu.Unlock()
	if e == nil {
		return nil, content.ErrNotFound
	}
	f, err := files.OpenOwn(c.path(d), os.O_RDONLY, 0)
	if err != nil {
		c.drop(d)
		return nil, fmt.Errorf("%w: %w", content.ErrNotFound, err)
	}
	info, err := f.Stat()
	if err == nil {
		c.mu.Lock()
		checked := e.size == info.Size() && e.modified.Equal(info.ModTime())
		c.mu.Unlock()
		if !checked {
			_, err = io.Copy(io.Discard, content.NewVerifyingReader(ctx, io.NewSectionReader(f, 0, info.Size()), content.Descriptor{Digest: d, Size: e.size}))
		}
	}
	if err != nil {
		f.Close()
		if ctx.Err() == nil {
			c.drop(d)
			c.mu.Lock()
			c.corrupt++
			c.mu.Unlock()
		}
		return nil, fmt.Errorf("%w: %w", content.ErrNotFound, err)
	}
	c.mu.Lock()
	e.lastUse, e.modified = c.now(), info.ModTime()
	c.mu.Unlock()
	return f, nil
}

// has reports whether d is an entry, whose bytes are not checked.
func (c *Cache) has(d digest.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[d] != nil
}

// usage returns the bytes that are used or reserved, the number of entries, and of those that
// had other bytes.
func (c *Cache) usage() (used int64, entries, corrupt int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used, len(c.entries), c.corrupt
}

func (c *Cache) drop(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(d)
}
