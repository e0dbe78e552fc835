package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestStreamedStdout(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	app := &App{running: ctx, RawStdout: &out}
	w := app.streamedStdout()
	for range 3 {
		if n, err := io.Copy(w, strings.NewReader("text")); n != 4 || err != nil {
			t.Fatal(n, err)
		}
	}
	if out.String() != "texttexttext" {
		t.Errorf("%q", out.String())
	}
	r, unread := io.Pipe()
	defer r.Close() // ends the write that still waits
	app.RawStdout = unread
	w = app.streamedStdout()
	ended := make(chan error, 1)
	go func() {
		_, err := w.Write([]byte("text"))
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
	if _, err := w.Write([]byte("more")); !errors.Is(err, context.Canceled) {
		t.Errorf("after that: %v", err)
	}
}
