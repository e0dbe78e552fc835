package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const mib = 1 << 20

// screen is a writer that many write to.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func layer(i int, size int64) content.Descriptor {
	return content.Descriptor{MediaType: "x/y", Digest: digest.FromString(fmt.Sprint(i)), Size: size}
}

func event(kind content.EventKind, d content.Descriptor, n int64) content.Event {
	return content.Event{Kind: kind, Target: "there", Descriptor: d, Bytes: n}
}

func TestLines(t *testing.T) {
	tests := map[string]struct {
		copy func(p *Progress)
		want string
	}{
		"short": {func(p *Progress) {
			p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 10, Blobs: 1})
			time.Sleep(9 * time.Second)
		}, ""},
		"nothing known yet": {func(*Progress) { time.Sleep(15 * time.Second) },
			"checking what is already present, 10s\n"},
		"two layers": {func(p *Progress) {
			a, b := layer(1, 600*mib), layer(2, 400*mib)
			p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 1000 * mib, Blobs: 2})
			p.Handle(event(content.EventStarted, a, 0))
			p.Handle(event(content.EventStarted, b, 0))
			for range 5 {
				time.Sleep(1900 * time.Millisecond)
				p.Handle(event(content.EventMoved, a, 50*mib))
				p.Handle(event(content.EventMoved, b, 50*mib))
			}
			p.Handle(event(content.EventMoved, a, -50*mib)) // to be sent again
			time.Sleep(10 * time.Second)
			p.Handle(event(content.EventMoved, b, 150*mib))
			p.Handle(event(content.EventDone, b, 400*mib))
			time.Sleep(5 * time.Second)
		}, "450 MiB of 1000 MiB (45%), 45 MiB/s, 12s left, 0 of 2 blobs\n" +
			"600 MiB of 1000 MiB (60%), 30 MiB/s, 13s left, 1 of 2 blobs\n"},
		"resumed is done but no speed": {func(p *Progress) {
			a := layer(1, 1000*mib)
			p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 1000 * mib, Blobs: 1})
			p.Handle(event(content.EventStarted, a, 0))
			p.Handle(event(content.EventResumed, a, 500*mib))
			time.Sleep(5 * time.Second)
			p.Handle(event(content.EventMoved, a, 100*mib))
			time.Sleep(6 * time.Second)
		}, "600 MiB of 1000 MiB (60%), 10 MiB/s, 40s left, 0 of 1 blob\n"},
		"mounted is done but no speed": {func(p *Progress) {
			a := layer(1, 300*mib)
			p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 400 * mib, Blobs: 2})
			p.Handle(event(content.EventStarted, a, 0))
			p.Handle(content.Event{Kind: content.EventDone, Target: "there", Descriptor: a, Bytes: a.Size, Outcome: content.OutcomeMounted})
			time.Sleep(11 * time.Second)
		}, "300 MiB of 400 MiB (75%), 0 B/s, 1 of 2 blobs\n"},
		"a blob that was there, and a manifest": {func(p *Progress) {
			p.Handle(content.Event{Kind: content.EventPlanned})
			p.Handle(content.Event{Kind: content.EventDone, Target: "there", Descriptor: layer(1, 10), Outcome: content.OutcomeSkipped})
			time.Sleep(11 * time.Second)
		}, "0 B of 0 B (100%), 0 B/s, 0 of 0 blobs\n"},
		"two targets": {func(p *Progress) {
			for _, target := range []string{"a", "b"} {
				p.Handle(content.Event{Kind: content.EventPlanned, Target: target, Bytes: 10 * mib, Blobs: 1})
				p.Handle(content.Event{Kind: content.EventStarted, Target: target, Descriptor: layer(1, 10*mib)})
			}
			p.Handle(content.Event{Kind: content.EventMoved, Target: "a", Descriptor: layer(1, 10*mib), Bytes: 10 * mib})
			p.Handle(content.Event{Kind: content.EventDone, Target: "a", Descriptor: layer(1, 10*mib), Bytes: 10 * mib})
			time.Sleep(11 * time.Second)
		}, "10 MiB of 20 MiB (50%), 1.0 MiB/s, 10s left, 1 of 2 blobs\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				var out screen
				p := NewProgress(Options{Mode: ModeAuto, Out: &out})
				tt.copy(p)
				p.Close()
				p.Close()
				if out.String() != tt.want {
					t.Errorf("got\n%swant\n%s", out.String(), tt.want)
				}
			})
		})
	}
}

func terminal(columns, rows int) func() (int, int, error) {
	return func() (int, int, error) { return columns, rows, nil }
}

// barCopy moves ten layers, of which the first was begun before.
func barCopy(p *Progress) {
	p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 1000 * mib, Blobs: 10})
	for i := range 10 {
		p.Handle(event(content.EventStarted, layer(i, 100*mib), 0))
	}
	p.Handle(event(content.EventResumed, layer(0, 100*mib), 50*mib))
	for range 10 {
		time.Sleep(time.Second)
		for i := range 10 {
			p.Handle(event(content.EventMoved, layer(i, 100*mib), 5*mib))
		}
	}
	p.Handle(event(content.EventDone, layer(0, 100*mib), 100*mib))
	time.Sleep(time.Second)
}

var escape = regexp.MustCompile("\x1b\\[[0-9]*[A-Za-z]")

func TestBars(t *testing.T) {
	tests := map[string]struct {
		columns, rows int
		last          []string // of the last frame
	}{
		"wide": {120, 40, []string{
			"7902699be42c  [=======================>                        ]     50 MiB / 100 MiB",
			"2c624232cdd2  [=======================>                        ]     50 MiB / 100 MiB",
			"1 of 10       [++=======================>                      ]    550 MiB / 1000 MiB      46 MiB/s  10s left",
		}},
		"narrow":       {30, 40, []string{"2c624232cdd2     50 MiB / 100 ", "1 of 10         550 MiB / 1000"}},
		"two rows":     {80, 3, []string{"6b86b273ff34  [==", "1 of 10       "}},
		"one row":      {80, 1, []string{"1 of 10       "}},
		"tells none":   {0, 0, []string{"2c624232cdd2  [==", "1 of 10       "}},
		"one column":   {1, 40, []string{"2", "1"}},
		"four columns": {4, 40, []string{"2c62", "1 of"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out screen
				p := NewProgress(Options{Mode: ModeAuto, Out: &out, TerminalSize: terminal(tt.columns, tt.rows)})
				barCopy(p)
				p.Close()
				frames := strings.Split("\x1b[J"+out.String(), "\x1b[")[1:]
				if len(frames) < 50 {
					t.Fatalf("%d frames: %q", len(frames), out.String())
				}
				// The bars are gone: the last that was written clears them.
				if clear := frames[len(frames)-1]; clear != "J" {
					t.Errorf("ends with %q", clear)
				}
				lastFrame := strings.Split(strings.TrimSuffix(strings.TrimPrefix(frames[len(frames)-3], "J"), "\n"), "\n")
				t.Logf("%q", lastFrame)
				for _, frame := range frames {
					for line := range strings.Lines(escape.ReplaceAllString("\x1b["+frame, "")) {
						if columns := max(tt.columns, 80*(1-min(tt.columns, 1))); len(strings.TrimSuffix(line, "\n")) > columns {
							t.Fatalf("%q is wider than the terminal", line)
						}
					}
					if n := strings.Count(frame, "\n"); n > max(tt.rows, 1) && tt.rows > 0 {
						t.Fatalf("%q is higher than the terminal", frame)
					}
				}
				for i, want := range tt.last {
					if got := lastFrame[len(lastFrame)-len(tt.last)+i]; !strings.HasPrefix(got, want) {
						t.Errorf("got  %q\nwant %q", got, want)
					}
				}
			})
		})
	}
}

// A terminal that cannot be written to any more must neither block nor leave a
// goroutine.
func TestBrokenTerminal(t *testing.T) {
	for _, mode := range []Mode{ModeBars, ModeLines, ModeJSON} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewProgress(Options{Mode: mode, Out: broken{}, TerminalSize: terminal(80, 24)})
				barCopy(p)
				p.Close()
			})
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := NewProgress(Options{Mode: ModeNone, Out: &out, TerminalSize: terminal(80, 24)})
		barCopy(p)
		p.Close()
		if out.String() != "" {
			t.Errorf("got %q", out.String())
		}
	})
}

func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := NewProgress(Options{Mode: ModeJSON, Out: &out})
		d := layer(1, 100)
		p.Handle(content.Event{Kind: content.EventPlanned, Target: "there", Descriptor: layer(0, 7), Bytes: 100, Blobs: 1})
		p.Handle(event(content.EventStarted, d, 0))
		for range 40 {
			p.Handle(event(content.EventMoved, d, 1))
			time.Sleep(110 * time.Millisecond)
		}
		p.Handle(event(content.EventMoved, d, 60))
		p.Handle(content.Event{Kind: content.EventDone, Target: "there", Descriptor: d, Bytes: 100, Outcome: content.OutcomeSent})
		p.Close()
		var got []string
		moved := int64(0)
		for line := range strings.Lines(out.String()) {
			var e content.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, string(e.Kind))
			if e.Kind == content.EventMoved {
				moved += e.Bytes
			}
		}
		want := "planned started moved moved moved moved moved done"
		if strings.Join(got, " ") != want || moved != 100 {
			t.Errorf("%d bytes in %v, want %s", moved, got, want)
		}
		first, _, _ := strings.Cut(out.String(), "\n")
		if want := `{"event":"planned","target":"there","descriptor":{"mediaType":"x/y","digest":"` + string(layer(0, 7).Digest) + `","size":7},"bytes":100,"blobs":1}`; first != want {
			t.Errorf("got  %s\nwant %s", first, want)
		}
	})
}

// Events come from many goroutines while frames are drawn.
func TestConcurrentEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := NewProgress(Options{Mode: ModeBars, Out: &out, TerminalSize: terminal(100, 24)})
		p.Handle(content.Event{Kind: content.EventPlanned, Bytes: 16 * mib, Blobs: 16})
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				d := layer(i, mib)
				p.Handle(event(content.EventStarted, d, 0))
				for range 64 {
					p.Handle(event(content.EventMoved, d, mib/64))
					time.Sleep(10 * time.Millisecond)
				}
				p.Handle(event(content.EventDone, d, mib))
			})
		}
		group.Wait()
		time.Sleep(time.Second)
		p.Close()
		if !strings.Contains(out.String(), "16 of 16      [") || !strings.Contains(out.String(), "16 MiB / 16 MiB") {
			t.Errorf("the last frame does not show the end: %q", out.String())
		}
	})
}

func TestModeFlag(t *testing.T) {
	for _, name := range strings.Split(new(Mode).Type(), "|") {
		var m Mode
		if err := m.Set(name); err != nil || m.String() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := new(Mode).Set("colour"); err == nil || !strings.Contains(err.Error(), "auto, bars, lines, json, none") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkMoved is the most frequent event, from eight connections.
func BenchmarkMoved(b *testing.B) {
	p := NewProgress(Options{Mode: ModeLines, Out: new(screen)})
	defer p.Close()
	d := layer(1, 1<<40)
	p.Handle(event(content.EventStarted, d, 0))
	moved := event(content.EventMoved, d, 48<<10)
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Handle(moved)
		}
	})
}
