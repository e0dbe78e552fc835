package ranges

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// leadSize is the size of a blob in bytes up to which the first connection may stay alone. Of a larger one others save
	// more than they cost.
	leadSize = 16 << 20
	// leadRate is how many bytes a second it has to bring then, after leadGrace: this machine may be busy.
	leadRate  = 12 << 20
	leadGrace = 30 * time.Millisecond
	// fullRead is a read of so many bytes that others must have been waiting behind them: we are slower than the network, and
	// more connections would not help. It is more than the first bytes of which a proxy knows.
	fullRead = 64<<10 + 1
)

// lead is the first connection of a blob, which is alone for a while.
type lead struct {
	alone context.Context // until others join
	join  context.CancelFunc

	came, full atomic.Int64 // bytes; those of full reads
}

// newLead returns the lead of a blob of size bytes: alone for so long, and then as long as it is fast enough.
func newLead(ctx context.Context, size int64, alone time.Duration) *lead {
	l := &lead{}
	l.alone, l.join = context.WithCancel(ctx)
	if alone == 0 {
		l.join()
		return l
	}
	begin, ticker := time.Now(), time.NewTicker(alone)
	go func() {
		defer l.join()
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-l.alone.Done():
				return
			}
			if size > leadSize || !l.isFast(time.Since(begin)) {
				return
			}
		}
	}()
	return l
}

// isAlone reports whether no other connection has joined.
func (l *lead) isAlone() bool { return l.alone.Err() == nil }

// read notes that a read brought n bytes.
func (l *lead) read(n int) {
	l.came.Add(int64(n))
	if n >= fullRead {
		l.full.Add(int64(n))
	}
}

// isFast reports whether others would not bring the bytes sooner.
func (l *lead) isFast(took time.Duration) bool {
	came := l.came.Load()
	return came > 0 && 2*l.full.Load() >= came && came >= int64((took-leadGrace).Seconds()*leadRate)
}
