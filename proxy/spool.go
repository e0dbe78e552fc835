package proxy

import (
	"context"
	"errors"
	"os"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/internal/calls/room"
)

const (
	// maxSpool bounds what is kept of one answer in bytes: a manifest of 4 MiB has up to 25 MiB in an answer of Amazon ECR.
	maxSpool = 32 << 20
	// spoolStep is by how many bytes a spool grows.
	spoolStep = 1 << 20
	// maxSpools bounds the answers of one registry that are kept at once.
	maxSpools = 4
)

// errSpoolFull is the error of what is not kept.
var errSpoolFull = errors.New("there is no more room for an answer in the cache")

// spools are files of the cache for large answers of registries until they are complete. An answer takes no
// memory meanwhile, however slowly it comes.
type spools struct {
	cache *Cache

	mu    sync.Mutex
	hosts map[string]*semaphore.Weighted
}

// of returns what opens a spool for an answer of a registry, which other registries do not keep waiting.
func (s *spools) of(host string) func(context.Context) (room.Spool, error) {
	return func(ctx context.Context) (room.Spool, error) {
		s.mu.Lock()
		slots := s.hosts[host]
		if slots == nil {
			slots = semaphore.NewWeighted(maxSpools)
			s.hosts[host] = slots
		}
		s.mu.Unlock()
		if err := waitForRoom(ctx, slots, 1); err != nil {
			return nil, err
		}
		file, err := s.cache.createFile()
		if err != nil {
			slots.Release(1)
			return nil, nil // it is read into memory when there is room
		}
		return &spool{file: file, cache: s.cache, release: func() { slots.Release(1) }}, nil
	}
}

// spool is a file with what has come of an answer. One goroutine uses it.
type spool struct {
	file     *os.File
	cache    *Cache
	release  func()
	reserved int64 // bytes of the cache
	written  int64
	read     int64
}

func (s *spool) Write(p []byte) (n int, err error) {
	for int64(len(p)) > s.reserved-s.written {
		if s.reserved == maxSpool || !s.cache.reserve(spoolStep) {
			return 0, errSpoolFull
		}
		s.reserved += spoolStep
	}
	n, err = s.file.WriteAt(p, s.written)
	s.written += int64(n)
	return n, err
}

func (s *spool) Read(p []byte) (n int, err error) {
	n, err = s.file.ReadAt(p, s.read)
	s.read += int64(n)
	return n, err
}

// Close removes the file.
func (s *spool) Close() error {
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.cache.unreserve(s.reserved)
	s.release()
	return err
}

// reserve takes n bytes of the cache for a file that is no entry, and reports whether there is room for them.
func (c *Cache) reserve(n int64) bool {
	if free, err := c.free(); err == nil && free-n < leaveFree {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.makeRoom(n) {
		return false
	}
	c.used += n
	return true
}

// unreserve returns to the cache what reserve took.
func (c *Cache) unreserve(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used -= n
}
