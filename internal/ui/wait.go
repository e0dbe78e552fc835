package ui

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// wait is something that others do, such as a scan.
type wait struct {
	what  string
	since time.Time
	limit time.Duration // 0 means none
}

// waits are those at one moment, the longest first.
type waits struct {
	mu  sync.Mutex
	all []*wait
}

// Wait shows that the command waits for what others do, and for how long it will at most
// (0: it is not known). It returns what ends that.
func (p *Progress) Wait(what string, limit time.Duration) (end func()) {
	w := &wait{what, time.Now(), limit}
	p.tally.waits.mu.Lock()
	defer p.tally.waits.mu.Unlock()
	p.tally.waits.all = append(p.tally.waits.all, w)
	return func() {
		p.tally.waits.mu.Lock()
		defer p.tally.waits.mu.Unlock()
		p.tally.waits.all = slices.DeleteFunc(p.tally.waits.all, func(other *wait) bool { return other == w })
	}
}

// first returns the longest wait, nil if there is none.
func (w *waits) first() *wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == 0 {
		return nil
	}
	return w.all[0]
}

func (w *wait) line(now time.Time) string {
	line := fmt.Sprintf("waiting for %s, %v", w.what, now.Sub(w.since).Round(time.Second))
	if w.limit > 0 {
		line += fmt.Sprintf(" of at most %v", w.limit)
	}
	return line
}

// lines prints a line at each interval, and that of a wait as soon as it has lasted for
// a tick. See lineEvery and lineTick.
type lines struct {
	last time.Time // when a line was printed
	told *wait     // which was printed
}

// next returns the line that is due, or "".
func (l *lines) next(t *tally, now time.Time) string {
	w := t.waits.first()
	newWait := w != nil && w != l.told && now.Sub(w.since) >= lineTick
	if !newWait && now.Sub(l.last) < lineEvery {
		return ""
	}
	l.last, l.told = now, w
	return t.look(now).line()
}
