package shaping

import (
	"sync"
	"time"
)

// deadline is a time that can change while others wait for it.
type deadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{} // closed by the next set
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// state returns the deadline, zero for none, and a channel that is closed when
// it changes. A nil deadline never comes.
func (d *deadline) state() (time.Time, <-chan struct{}) {
	if d == nil {
		return time.Time{}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.at, d.changed
}

func expired(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
