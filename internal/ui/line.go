package ui

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
)

// line is the state in one line, for a log.
func (s state) line() string {
	if !s.known || s.wait != "" && s.done >= s.planned {
		return s.waiting()
	}
	line := fmt.Sprintf("%s of %s (%d%%), %s/s", size(s.done), size(s.planned), s.percent(), size(s.rate))
	if left, ok := s.left(); ok {
		line += fmt.Sprintf(", %v left", left)
	}
	return line + fmt.Sprintf(", %d of %s", s.blobsDone, english.Plural(int(s.blobs), "blob", ""))
}

// waiting is the text before it is known what has to be moved.
func (s state) waiting() string {
	if s.wait != "" {
		return s.wait
	}
	return fmt.Sprintf("checking what is already present, %v", s.elapsed.Round(time.Second))
}

func (s state) percent() int64 {
	if s.planned == 0 {
		return 100
	}
	return int64(100 * float64(s.done) / float64(s.planned))
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
