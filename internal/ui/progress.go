// Package ui shows people, and programs, how far a copy is.
package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Mode is a form of progress display. It is the value of a flag.
type Mode string

// The modes. ModeAuto is ModeBars on a terminal and ModeLines elsewhere.
const (
	ModeAuto  Mode = "auto"
	ModeBars  Mode = "bars"
	ModeLines Mode = "lines"
	ModeJSON  Mode = "json"
	ModeNone  Mode = "none"
)

var modes = []string{string(ModeAuto), string(ModeBars), string(ModeLines), string(ModeJSON), string(ModeNone)}

// ParseMode reads the name of a mode.
func ParseMode(s string) (Mode, error) {
	for _, m := range modes {
		if s == m {
			return Mode(s), nil
		}
	}
	return "", fmt.Errorf("must be one of %s", strings.Join(modes, ", "))
}

func (m *Mode) String() string { return string(*m) }

// Type is what the help of the flag shows as its value.
func (m *Mode) Type() string { return strings.Join(modes, "|") }

// Set reads the value of the flag.
func (m *Mode) Set(s string) error {
	mode, err := ParseMode(s)
	if err == nil {
		*m = mode
	}
	return err
}

const (
	lineEvery  = 10 * time.Second
	lineTick   = 2 * time.Second // at the latest then people know what is waited for
	jsonEvery  = time.Second
	frameEvery = 150 * time.Millisecond
)

// Options of a progress display.
type Options struct {
	Mode Mode
	Out  io.Writer
	// Terminal is where bars are drawn; nil is Out.
	Terminal io.Writer
	// TerminalSize returns the size of the terminal that Out is, in columns and rows;
	// it is asked for each frame. nil if Out is none.
	TerminalSize func() (columns, rows int, err error)
}

// Progress shows what copies do, from their events. Its methods may be called
// concurrently.
type Progress struct {
	tally  *tally
	json   *jsonWriter // nil in the other modes
	silent bool
	close  func()
}

// NewProgress begins to show progress. The caller closes it.
func NewProgress(o Options) *Progress {
	p := &Progress{tally: newTally(time.Now()), close: func() {}}
	if o.Mode == ModeAuto {
		o.Mode = ModeLines
		if o.TerminalSize != nil {
			o.Mode = ModeBars
		}
	}
	switch o.Mode {
	case ModeBars:
		p.close = showBars(o, p.tally)
	case ModeLines:
		l := lines{last: p.tally.started}
		p.close = every(lineTick, func(now time.Time) {
			if line := l.next(p.tally, now); line != "" {
				fmt.Fprintln(o.Out, line)
			}
		})
	case ModeJSON:
		p.json = newJSONWriter(o.Out)
		p.close = every(jsonEvery, func(time.Time) { p.json.flush() })
	default:
		p.silent = true
	}
	p.close = sync.OnceFunc(p.close)
	return p
}

// Handle takes an event; it is what [transfer.Options] have as Progress. It
// never waits for the display, unless that is of ModeJSON.
func (p *Progress) Handle(e content.Event) {
	switch {
	case p.silent:
	case p.json != nil:
		p.json.handle(e)
	default:
		p.tally.add(e)
	}
}

// Close ends the display and waits until nothing more is written: bars are gone,
// and no line is left half written.
func (p *Progress) Close() {
	p.close()
	if p.json != nil {
		p.json.flush()
	}
}

// every calls f again and again until the function that it returns is called.
func every(d time.Duration, f func(now time.Time)) (stop func()) {
	ended := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(d)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				f(now)
			case <-ended:
				return
			}
		}
	})
	return func() {
		close(ended)
		group.Wait()
	}
}
