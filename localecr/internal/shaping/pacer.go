package shaping

import "time"

// pacer computes when bytes arrive at the other end of a link. It holds no
// clock: the caller says what time it is.
type pacer struct {
	rate  int64         // bytes per second, 0: unlimited
	delay time.Duration // one way
	burst time.Duration
	open  time.Time // when the first byte can be sent

	free      time.Time // when the link has sent all bytes scheduled so far
	remainder int64     // of the division for free, in bytes × 1e9 modulo rate
}

// schedule returns when n bytes that are sent at now arrive. Times returned
// never decrease if now does not.
func (p *pacer) schedule(now time.Time, n int) time.Time {
	now = later(now, p.open)
	p.free = later(p.free, now)
	if p.rate > 0 {
		work := int64(n)*int64(time.Second) + p.remainder
		p.free = p.free.Add(time.Duration(work / p.rate))
		p.remainder = work % p.rate
	}
	return later(p.free.Add(-p.burst), now).Add(p.delay)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
