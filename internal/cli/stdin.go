package cli

import (
	"context"
	"io"
	"sync"

	"github.com/ecrkit/ecrkit/internal/files"
)

// stdinBuffer is how much is read of stdin at once, in bytes.
const stdinBuffer = 256 << 10

// stdin is what commands read that is not an answer to a question.
func (app *App) stdin() io.Reader {
	if app.input != nil {
		return app.input
	}
	return app.Stdin
}

// context ends when the command is interrupted. It is for what has no context of its own: files that a user names can
// be pipes, at which a read or a write waits for another program.
func (app *App) context() context.Context {
	if app.running != nil {
		return app.running
	}
	return context.Background()
}

// open opens a file that a user names, for reading. A read of a pipe ends with the command.
func (app *App) open(path string) (io.ReadCloser, error) { return files.Open(app.context(), path) }

// newInput returns r as a reader that ends with the context: a read of a pipe or a
// terminal cannot be interrupted, and the first Ctrl-C has to end the command. Nothing
// is read of r before the first Read.
func newInput(ctx context.Context, r io.Reader) io.Reader {
	chunks, free := make(chan chunk), make(chan []byte, 2)
	begin := sync.OnceFunc(func() {
		free <- make([]byte, stdinBuffer)
		free <- make([]byte, stdinBuffer)
		go readChunks(ctx, r, chunks, free)
	})
	return &interruptible{ctx: ctx, begin: begin, chunks: chunks, free: free}
}

// chunk is the outcome of one read.
type chunk struct {
	data []byte
	err  error
}

// readChunks reads r until an error or the end of the context.
func readChunks(ctx context.Context, r io.Reader, chunks chan<- chunk, free <-chan []byte) {
	for {
		var c chunk
		select {
		case c.data = <-free:
		case <-ctx.Done():
			return
		}
		var n int
		n, c.err = r.Read(c.data)
		c.data = c.data[:n]
		select {
		case chunks <- c:
		case <-ctx.Done():
			return
		}
		if c.err != nil {
			return
		}
	}
}

// interruptible reads what readChunks sends.
type interruptible struct {
	ctx    context.Context
	begin  func()
	chunks <-chan chunk
	free   chan<- []byte
	now    chunk
	rest   []byte // of now.data
}

func (r *interruptible) Read(p []byte) (int, error) {
	r.begin()
	for len(r.rest) == 0 {
		if r.now.err != nil {
			return 0, r.now.err
		}
		if r.now.data != nil {
			r.free <- r.now.data[:cap(r.now.data)]
			r.now = chunk{}
		}
		select {
		case r.now = <-r.chunks:
			r.rest = r.now.data
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
