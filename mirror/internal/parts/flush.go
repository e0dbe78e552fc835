package parts

import (
	"errors"
	"sync"
)

// flushSize is how many bytes are written between two flushes.
const flushSize = 32 << 20

// Flusher has the disk write parts while more blobs come, so that little is left to wait for at the end.
type Flusher struct {
	mu      sync.Mutex
	bytes   int64         // of the blobs that were written since the last flush began
	changed map[Part]bool // by them
	running bool
	err     error // of all flushes: the system may report each only once
	flush   sync.WaitGroup
}

// Wrote notes that a blob was written to the bytes from first to end of the parts.
func (f *Flusher) Wrote(ps Parts, first, end int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = map[Part]bool{}
	}
	for _, p := range ps {
		if p.First < end && first < p.First+p.Size {
			f.changed[p] = true
		}
	}
	if f.bytes += end - first; f.running || f.bytes < flushSize {
		return
	}
	changed := f.changed
	f.bytes, f.changed, f.running = 0, nil, true
	f.flush.Go(func() {
		var errs []error
		for p := range changed {
			errs = append(errs, p.File.Sync())
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.err, f.running = errors.Join(append(errs, f.err)...), false
	})
}

// Wait waits for the flush that is running. Nothing is written any more.
func (f *Flusher) Wait() error {
	f.flush.Wait()
	return f.err
}
