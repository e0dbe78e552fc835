package calls

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ecrkit/ecrkit/internal/calls/room"
)

// fakeSpool keeps at most max bytes.
type fakeSpool struct {
	bytes.Buffer
	max    int
	closed int
}

func (s *fakeSpool) Write(p []byte) (int, error) {
	if n := s.max - s.Len(); n < len(p) {
		s.Buffer.Write(p[:n])
		return n, errors.New("full")
	}
	return s.Buffer.Write(p)
}

func (s *fakeSpool) Close() error { s.closed++; return nil }

// TestSpooledAnswer reads answers that a spool keeps wholly, in part, or not: all bytes come, and there is room before those
// behind the first 64 KiB. Nothing waits for room while the spool takes more.
func TestSpooledAnswer(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken off")
	text := strings.Repeat("0123456789abcdef", 3*largeAnswer/16) + "end"
	for name, c := range map[string]struct {
		text     string
		end      error // of the answer
		spool    *fakeSpool
		took     int
		leftover int // bytes that come after there is room
	}{
		"small":         {text[:largeAnswer], io.EOF, &fakeSpool{max: 1 << 20}, 1, 0},
		"kept":          {text, io.EOF, &fakeSpool{max: 1 << 20}, 1, 0},
		"kept in part":  {text, io.EOF, &fakeSpool{max: 1000}, 1, len(text) - largeAnswer - spoolChunk},
		"kept not":      {text, io.EOF, &fakeSpool{}, 1, len(text) - largeAnswer - spoolChunk},
		"without spool": {text, io.EOF, nil, 1, len(text) - largeAnswer},
		"broken off":    {text, broken, &fakeSpool{max: 1 << 20}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			took := 0
			server := strings.NewReader(c.text)
			r := room.Room{Take: func(context.Context) error {
				if took++; server.Len() != c.leftover {
					t.Errorf("there is room while %d bytes are to come, want %d", server.Len(), c.leftover)
				}
				return nil
			}}
			if c.spool != nil {
				r.Spool = func(context.Context) (room.Spool, error) { return c.spool, nil }
			}
			body := withRoom(room.With(t.Context(), r), io.NopCloser(io.MultiReader(server, iotest.ErrReader(c.end))))
			got, err := io.ReadAll(body)
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			if c.end == io.EOF && (err != nil || string(got) != c.text) {
				t.Errorf("%v, %d bytes of %d", err, len(got), len(c.text))
			}
			if c.end != io.EOF && !errors.Is(err, c.end) {
				t.Errorf("the error is %v", err)
			}
			if took != c.took {
				t.Errorf("room was taken %d times, want %d", took, c.took)
			}
			if c.spool != nil && c.spool.closed != 1 {
				t.Errorf("the spool was closed %d times", c.spool.closed)
			}
		})
	}
}
