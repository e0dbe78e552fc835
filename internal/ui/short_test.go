package ui

import (
	"bytes"
	"strings"
	"testing"
)

// TestShortWaitShowsNothing ends a wait before its first frame: no line of another kind of work appears, such as that of a copy.
func TestShortWaitShowsNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(Options{Mode: ModeBars, Out: &out, TerminalSize: func() (int, int, error) { return 80, 24, nil }})
	end := p.Wait("the scan", 0)
	p.Close()
	end()
	if strings.Contains(out.String(), "checking") {
		t.Errorf("got %q", out.String())
	}
}
