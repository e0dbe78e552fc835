package ui

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// tally adds up events. Moved bytes are the most frequent: they cost two
// additions and no lock.
type tally struct {
	started time.Time
	plans   atomic.Int64 // copies that know what they have to move
	planned atomic.Int64 // bytes
	blobs   atomic.Int64 // to be moved
	moved   atomic.Int64 // bytes, which make the speed
	had     atomic.Int64 // bytes that need not be moved: resumed or mounted
	done    atomic.Int64 // blobs

	waits waits

	byName sync.Map // blobName -> *blob, of those in flight

	mu       sync.Mutex
	inFlight []*blob // in the order in which they were started
	speed    speed
}

// blobName is a blob on its way to one endpoint.
type blobName struct {
	target string
	digest digest.Digest
}

// blob is one in flight.
type blob struct {
	content.Descriptor
	moved, had atomic.Int64 // bytes
}

func newTally(now time.Time) *tally {
	return &tally{started: now, speed: newSpeed(now)}
}

// add adds an event.
func (t *tally) add(e content.Event) {
	name := blobName{e.Target, e.Descriptor.Digest}
	switch e.Kind {
	case content.EventPlanned:
		t.planned.Add(e.Bytes)
		t.blobs.Add(int64(e.Blobs))
		t.plans.Add(1)
	case content.EventStarted:
		b := &blob{Descriptor: e.Descriptor}
		if _, known := t.byName.LoadOrStore(name, b); !known {
			t.mu.Lock()
			t.inFlight = append(t.inFlight, b)
			t.mu.Unlock()
		}
	case content.EventMoved, content.EventResumed:
		all, one := &t.moved, (*atomic.Int64)(nil)
		found, ok := t.byName.Load(name)
		if ok {
			one = &found.(*blob).moved
		}
		if e.Kind == content.EventResumed {
			all = &t.had
			if ok {
				one = &found.(*blob).had
			}
		}
		all.Add(e.Bytes)
		if ok {
			one.Add(e.Bytes)
		}
	case content.EventDone:
		found, ok := t.byName.LoadAndDelete(name)
		if !ok {
			return // a manifest, or a blob that was there
		}
		b := found.(*blob)
		// What was not moved had not to be, such as a blob that was mounted.
		t.had.Add(b.Size - b.moved.Load() - b.had.Load())
		t.done.Add(1)
		t.mu.Lock()
		t.inFlight = slices.DeleteFunc(t.inFlight, func(other *blob) bool { return other == b })
		t.mu.Unlock()
	}
}

// state is how far the copies are at one moment.
type state struct {
	elapsed   time.Duration
	known     bool  // what has to be moved
	planned   int64 // bytes
	done      int64 // bytes, also those that need not be moved
	had       int64 // of them, those
	rate      int64 // bytes per second
	blobs     int64
	blobsDone int64
	inFlight  []blobState
	wait      string // what the command waits for, "" if nothing
}

// blobState is how far one blob is.
type blobState struct {
	digest          digest.Digest
	size, done, had int64 // bytes
}

// maxRows is how many blobs a state tells of.
const maxRows = 8

// look returns the state, and measures the speed since the earlier looks.
func (t *tally) look(now time.Time) state {
	wait := ""
	if w := t.waits.first(); w != nil {
		wait = w.line(now)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := state{
		wait:    wait,
		elapsed: now.Sub(t.started), known: t.plans.Load() > 0,
		planned: t.planned.Load(), had: t.had.Load(),
		blobs: t.blobs.Load(), blobsDone: t.done.Load(),
	}
	moved := t.moved.Load()
	s.done = min(max(moved+s.had, 0), s.planned)
	if !s.known {
		t.speed.restart() // nothing moves yet
	}
	s.rate = t.speed.measure(now, moved)
	for _, b := range t.inFlight[:min(len(t.inFlight), maxRows)] {
		had := b.had.Load()
		s.inFlight = append(s.inFlight, blobState{b.Digest, b.Size, min(max(b.moved.Load()+had, 0), b.Size), had})
	}
	return s
}
