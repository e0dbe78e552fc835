package ui

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// showBars draws a bar for the whole and, above it, a line for each blob in
// flight, as far as the terminal has room. No colour is used. The bars are gone
// when the function that it returns has been called.
func showBars(o Options, t *tally) (stop func()) {
	terminal := o.Terminal
	if terminal == nil {
		terminal = o.Out
	}
	var current atomic.Pointer[state]
	current.Store(&state{})
	console := &console{Writer: cupwriter.New(terminal, true), size: o.TerminalSize}
	refresh := make(chan any)
	broken := make(chan any) // the terminal is gone
	container := mpb.New(mpb.WithConsoleWriter(console), mpb.WithManualRefresh(refresh), mpb.WithShutdownNotifier(broken))
	// Lines that come and go are lines of one bar, the last of which is next to it:
	// what has nothing to say takes no room.
	blobs := make([]mpb.BarFiller, maxRows)
	for i := range blobs {
		bar := barStyle().Build()
		blobs[maxRows-1-i] = mpb.BarFillerFunc(func(w io.Writer, stat decor.Statistics) error {
			s := current.Load()
			if i >= min(len(s.inFlight), console.rows()-2) {
				return nil
			}
			b := s.inFlight[i]
			sizes := fmt.Sprintf("%9s / %-9s", size(b.done), size(b.size))
			return row(w, stat, bar, progress{b.done, b.size, b.had}, short(string(b.digest)), sizes, "\n")
		})
	}
	bar := barStyle().Build()
	whole := mpb.BarFillerFunc(func(w io.Writer, stat decor.Statistics) error {
		s := current.Load()
		if s.elapsed == 0 {
			return nil // nobody has looked: what ends at once shows nothing
		}
		if !s.known || s.wait != "" && s.done >= s.planned {
			_, err := io.WriteString(w, ends(s.waiting(), stat.AvailableWidth))
			return err
		}
		numbers := fmt.Sprintf("%9s / %-9s  %9s/s", size(s.done), size(s.planned), size(s.rate))
		if left, ok := s.left(); ok {
			numbers += fmt.Sprintf("  %v left", left)
		}
		label := fmt.Sprintf("%-12s", fmt.Sprintf("%d of %d", s.blobsDone, s.blobs))
		return row(w, stat, bar, progress{s.done, s.planned, s.had}, label, numbers, "")
	})
	all, err := container.Add(0, whole, mpb.BarTopExtender(blobs...), mpb.BarFillerTrim(), mpb.BarRemoveOnComplete())
	if err != nil {
		return container.Shutdown // never: the container is new
	}
	stopTicks := every(frameEvery, func(now time.Time) {
		s := t.look(now)
		if !s.known && s.elapsed < time.Second {
			return
		}
		current.Store(&s)
		select {
		case refresh <- now:
		case <-broken:
		}
	})
	return func() {
		stopTicks()
		all.Abort(true)
		container.Wait()
	}
}

// progress is what a bar shows, in bytes; had is drawn in another way.
type progress struct{ done, total, had int64 }

// row writes a line with a bar between two texts, and without a bar if there is
// too little room.
func row(w io.Writer, stat decor.Statistics, bar mpb.BarFiller, p progress, left, right, end string) error {
	width := stat.AvailableWidth - len(left) - len(right) - 4
	if width < 10 {
		_, err := io.WriteString(w, cut(left+"  "+right, stat.AvailableWidth)+end)
		return err
	}
	stat.Current, stat.Total, stat.Refill, stat.Completed = p.done, p.total, min(max(p.had, 0), p.done), false
	stat.AvailableWidth = min(width, 50)
	if _, err := io.WriteString(w, left+"  "); err != nil {
		return err
	}
	if err := bar.Fill(w, stat); err != nil {
		return err
	}
	_, err := io.WriteString(w, strings.TrimRight("  "+right, " ")+end)
	return err
}

func barStyle() mpb.BarStyleComposer { return mpb.BarStyle().Padding(" ") }

// cut makes an ASCII text no longer than width.
func cut(s string, width int) string { return s[:min(len(s), max(width, 0))] }

// ends makes an ASCII text no longer than width by leaving out the ends of digests, and then what is in the middle,
// such as a host: the name of the image and how long it will take are at the end.
func ends(s string, width int) string {
	const gap, least = "...", 40 // columns
	if len(s) > width {
		s = ShortenDigests(s)
	}
	if len(s) <= width || width < least {
		return cut(s, width)
	}
	end := width * 2 / 3
	return s[:width-end-len(gap)] + gap + s[len(s)-end:]
}

// short is the beginning of a digest, as docker shows it.
func short(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return cut(hex, 12)
}

// console is a terminal whose size is asked by the function that was given.
type console struct {
	*cupwriter.Writer
	size func() (columns, rows int, err error)
}

func (c *console) IsTerminal() bool { return true }

// defaultColumns and defaultRows are those of a terminal that does not tell.
const defaultColumns, defaultRows = 80, 24

// GetTermSize returns room for all rows: which of them have something to say is
// decided by those that write them.
func (c *console) GetTermSize() (columns, rows int, err error) {
	columns = defaultColumns
	if c.size != nil {
		if n, _, err := c.size(); err == nil && n > 0 {
			columns = n
		}
	}
	return columns, maxRows + 2, nil
}

func (c *console) rows() int {
	if c.size != nil {
		if _, n, err := c.size(); err == nil && n > 0 {
			return n
		}
	}
	return defaultRows
}
