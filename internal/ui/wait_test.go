package ui

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// What others do is named after two seconds, with the time that it may take, and then
// with each line; what they do at once is not.
func TestWaitLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := NewProgress(Options{Mode: ModeLines, Out: &out})
		p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 0})
		p.Wait("nothing", time.Minute)()
		end := p.Wait("the scan of app:1", 15*time.Minute)
		time.Sleep(13 * time.Second)
		end()
		time.Sleep(10 * time.Second)
		p.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 || lines[0] != "waiting for the scan of app:1, 2s of at most 15m0s" || lines[1] != "waiting for the scan of app:1, 12s of at most 15m0s" || strings.Contains(lines[2], "waiting") {
			t.Errorf("got\n%s", out.String())
		}
	})
}

// While blobs move, their progress is shown: the wait is that of another destination.
func TestWaitWhileMoving(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tally := newTally(now)
	tally.add(content.Event{Kind: content.EventPlanned, Bytes: 10, Blobs: 1})
	tally.waits.all = []*wait{{"the scan", now, 0}}
	if line := tally.look(now).line(); !strings.Contains(line, "0 B of 10 B") {
		t.Error(line)
	}
	tally.add(content.Event{Kind: content.EventMoved, Bytes: 10})
	if line := tally.look(now.Add(3 * time.Second)).line(); line != "waiting for the scan, 3s" {
		t.Error(line)
	}
}
