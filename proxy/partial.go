package proxy

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxFirst bounds the first bytes of a blob that are kept in memory: what [transfer.FollowBlob] writes at once fits.
const maxFirst = 128 << 10

// partial is an entry that is being written. Its file is created while the registry is asked for the bytes: on
// a busy disk that takes longer than they do. Until it exists, and what came before is in it, the first bytes are
// only in memory.
type partial struct {
	cache *Cache
	d     content.Descriptor

	created chan struct{} // is closed when file and err are set, and the file has the first bytes
	file    *os.File
	err     error // of creating it

	mu    sync.Mutex
	path  string // where it is: it moves when it is complete
	first []byte // grows until the file is created, and never changes: clients may have read it
}

// create reserves the room for d and creates a file for it, of which the first bytes may be known. The error is
// [errNoRoom] if it cannot be kept, [errMoved] if it is there. That the file cannot be created is an error of a later
// write, or of commit.
func (c *Cache) create(d content.Descriptor, first []byte) (*partial, error) {
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
	p := &partial{cache: c, d: d, created: make(chan struct{}), first: first}
	go p.create() // ends soon; commit and discard wait for it
	return p, nil
}

func (p *partial) create() {
	file, err := p.cache.createFile()
	for n := 0; ; {
		p.mu.Lock()
		early := p.first[n:]
		if err != nil || len(early) == 0 {
			break
		}
		p.mu.Unlock()
		_, err = file.WriteAt(early, int64(n))
		n += len(early)
	}
	defer p.mu.Unlock()
	if err == nil {
		p.path = file.Name()
	} else if file != nil {
		file.Close()
		_ = os.Remove(file.Name()) // if this fails, it is swept at the next start
	}
	p.file, p.err = file, err
	close(p.created)
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

// inMemory returns the first bytes from off on that are in memory.
func (p *partial) inMemory(off int64) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first[min(off, int64(len(p.first))):]
}

// ReadAt reads what was written.
func (p *partial) ReadAt(b []byte, off int64) (int, error) {
	n := copy(b, p.inMemory(off))
	if n == len(b) {
		return n, nil
	}
	if <-p.created; p.err != nil {
		return n, p.err
	}
	m, err := p.file.ReadAt(b[n:], off+int64(n))
	return n + m, err
}

// WriteAt writes to the file, or keeps the bytes in memory until it is there.
func (p *partial) WriteAt(b []byte, off int64) (int, error) {
	if p.cache.written != nil {
		if err := p.cache.written(off); err != nil {
			return 0, err
		}
	}
	n, err := p.keepFirst(b, off)
	if err == nil && n < len(b) {
		if <-p.created; p.err != nil {
			return n, p.err
		}
		var m int
		m, err = p.file.WriteAt(b[n:], off+int64(n))
		n += m
	}
	// On a fast network the connections of one blob would keep all processors for 10 ms each, and
	// the clients that wait for the bytes before would get none.
	runtime.Gosched()
	return n, err
}

// keepFirst returns how many bytes of b are in memory, and so in the file when it is created.
func (p *partial) keepFirst(b []byte, off int64) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if off > int64(len(p.first)) {
		return 0, nil
	}
	known := p.first[off:]
	if n := min(len(known), len(b)); !bytes.Equal(known[:n], b[:n]) {
		return 0, fmt.Errorf("blob %s: %w: the registry sent other bytes than before", p.d.Digest, content.ErrIntegrity)
	}
	select {
	case <-p.created:
	default:
		if more := min(maxFirst-len(p.first), len(b)-len(known)); more > 0 {
			p.first = append(p.first, b[len(known):len(known)+more]...)
		}
	}
	return min(len(p.first)-int(off), len(b)), nil
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
