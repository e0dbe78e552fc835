package ui

import "time"

// window is over how long the speed is measured.
const window = 15 * time.Second

// sample is how many bytes had been moved at a time.
type sample struct {
	at    time.Time
	moved int64
}

// speed is how fast bytes move.
type speed struct{ samples []sample } // of the last window

func newSpeed(now time.Time) speed { return speed{[]sample{{now, 0}}} }

// restart forgets the samples.
func (s *speed) restart() { s.samples = s.samples[:0] }

// measure notes how many bytes have been moved by now, and returns how many move in a second.
func (s *speed) measure(now time.Time, moved int64) int64 {
	s.samples = append(s.samples, sample{now, moved})
	for len(s.samples) > 2 && now.Sub(s.samples[1].at) >= window {
		s.samples = s.samples[1:]
	}
	first := s.samples[0]
	took := now.Sub(first.at)
	if took <= 0 {
		return 0
	}
	return max(int64(float64(moved-first.moved)/took.Seconds()), 0)
}

// left is how long the rest will take; false if nothing tells.
func (s state) left() (time.Duration, bool) {
	if s.rate <= 0 || !s.known || s.done >= s.planned {
		return 0, false
	}
	seconds := float64(s.planned-s.done) / float64(s.rate)
	return time.Duration(min(seconds, 1e6) * float64(time.Second)).Round(time.Second), true
}
