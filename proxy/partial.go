package proxy

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// partial is an entry that is being written. Its file is created while the registry is asked for the bytes: on
// a busy disk that takes longer than they do.
type partial struct {
	cache *Cache
	d     content.Descriptor

	created chan struct{} // is closed when file and err are set
	file    *os.File
	err     error // of creating it

	mu   sync.Mutex
	path string // where it is: it moves when it is complete
}

// create reserves the room for d and creates a file for it. The error is [errNoRoom] if it
// cannot be kept, [errMoved] if it is there. That the file cannot be created is an error of the first write.
func (c *Cache) create(d content.Descriptor) (*partial, error) {
	if free, err := c.free(); err == nil && free-d.Size < leaveFree {
		return nil, errNoRoom
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[d.Digest] != nil {
		return nil, errMoved
	}
	if !c.makeRoom(d.Size) {
		return nil, errNoRoom
	}
	c.used += d.Size
	p := &partial{cache: c, d: d, created: make(chan struct{})}
	go p.create() // ends soon; commit and discard wait for it
	return p, nil
}

func (p *partial) create() {
	defer close(p.created)
	if p.file, p.err = os.CreateTemp(filepath.Join(p.cache.dir, partialDir), "*"); p.err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.path = p.file.Name()
	}
}

// open opens the file for somebody who reads it while it is written, or later.
func (p *partial) open() (*os.File, error) {
	if <-p.created; p.err != nil {
		return nil, p.err
	}
	p.mu.Lock() // it does not move now
	defer p.mu.Unlock()
	return os.Open(p.path)
}

// ReadAt reads what was written.
func (p *partial) ReadAt(b []byte, off int64) (int, error) {
	if <-p.created; p.err != nil {
		return 0, p.err
	}
	return p.file.ReadAt(b, off)
}

// WriteAt writes to the file.
func (p *partial) WriteAt(b []byte, off int64) (int, error) {
	if p.cache.written != nil {
		if err := p.cache.written(off); err != nil {
			return 0, err
		}
	}
	if <-p.created; p.err != nil {
		return 0, p.err
	}
	n, err := p.file.WriteAt(b, off)
	// On a fast network the connections of one blob would keep all processors for 10 ms each, and
	// the clients that wait for the bytes before would get none.
	runtime.Gosched()
	return n, err
}

// discard removes what was written. Who reads it has a file of his own.
func (p *partial) discard() {
	if <-p.created; p.err == nil {
		p.file.Close()
		_ = os.Remove(p.path) // if this fails, it is swept at the next start
	}
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	p.cache.used -= p.d.Size
}

// commit makes the file, which has the digest of its descriptor, an entry. It does not wait for the
// disk: what a machine did not write before it went down shows when the entry is hashed at its first use.
func (p *partial) commit() error {
	err := p.move(p.cache.path(p.d.Digest))
	if err != nil {
		p.discard()
	}
	return err
}

// move closes the file, renames it to an entry, and notes the entry. Whoever finds that it has moved away
// finds the entry, too.
func (p *partial) move(to string) error {
	if <-p.created; p.err != nil { // of no bytes, nothing was written
		return p.err
	}
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	if err := p.file.Close(); err != nil {
		return err
	}
	c := p.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := files.Rename(p.path, to); err != nil {
		return err
	}
	p.path = to
	if old := c.entries[p.d.Digest]; old != nil { // of two clients at once that asked for a manifest
		c.used -= old.size
	}
	c.entries[p.d.Digest] = &entry{size: p.d.Size, lastUse: c.now(), modified: info.ModTime()}
	return nil
}
