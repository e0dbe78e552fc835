package cli

import (
	"context"
	"io"
)

// streamedStdout is rawStdout for a stream of any length, whose writes end with the context of the command: a
// pipe that nobody reads would hold it.
func (app *App) streamedStdout() io.Writer {
	return &interruptibleWriter{ctx: app.context(), w: app.rawStdout()}
}

type interruptibleWriter struct {
	ctx    context.Context
	w      io.Writer
	buffer []byte
}

// Write is [io.Writer]. It writes a copy: after an interruption, a write that still waits must not read what the caller
// has got back.
func (o *interruptibleWriter) Write(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	o.buffer = append(o.buffer[:0], p...)
	type written struct {
		n   int
		err error
	}
	done := make(chan written, 1)
	go func(data []byte) {
		n, err := o.w.Write(data)
		done <- written{n, err}
	}(o.buffer)
	select {
	case r := <-done:
		return r.n, r.err
	case <-o.ctx.Done():
		o.buffer = nil
		return 0, o.ctx.Err()
	}
}
