package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
)

// A runningDigest computes the SHA-256 of a file that grows, in the background, from what is already
// in the page cache. So receiving a layer, and hashing it, take two cores and not one after another.
type runningDigest struct {
	path string

	mu      sync.Mutex
	idle    *sync.Cond // no goroutine is hashing
	running bool
	hash    hash.Hash
	hashed  int64 // bytes
	target  int64 // bytes that may be hashed
	err     error
}

func newRunningDigest(path string) *runningDigest {
	d := &runningDigest{path: path, hash: sha256.New()}
	d.idle = sync.NewCond(&d.mu)
	return d
}

// advance records that the first size bytes of the file are final.
func (d *runningDigest) advance(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.target = max(d.target, size)
	if !d.running && d.err == nil && d.hashed < d.target {
		d.running = true
		go d.run()
	}
}

func (d *runningDigest) run() {
	f, err := os.Open(d.path)
	d.mu.Lock()
	defer d.mu.Unlock()
	for err == nil && d.hashed < d.target {
		from, to := d.hashed, d.target
		d.mu.Unlock()
		var n int64
		n, err = io.Copy(d.hash, io.NewSectionReader(f, from, to-from))
		if err == nil && n < to-from {
			err = io.ErrUnexpectedEOF
		}
		d.mu.Lock()
		d.hashed += n
	}
	if f != nil {
		_ = f.Close() // opened for reading
	}
	d.err = err
	d.running = false
	d.idle.Broadcast()
}

// sum waits for the digest of the first size bytes, which are all of the file.
func (d *runningDigest) sum(size int64) (string, error) {
	d.advance(size)
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.running {
		d.idle.Wait()
	}
	if d.err == nil && d.hashed != size {
		d.err = fmt.Errorf("hashed %d of %d bytes", d.hashed, size)
	}
	if d.err != nil {
		return "", fmt.Errorf("digest of %s: %w", d.path, d.err)
	}
	return "sha256:" + hex.EncodeToString(d.hash.Sum(nil)), nil
}
