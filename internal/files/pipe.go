package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Open opens a file that a user names, for reading once from its beginning. A named pipe
// that a program writes to is read to its end, such as that of <(program) in a shell. One
// without a writer is not waited for: its first Read returns an error that wraps
// [ErrNotRegular]. A Read that waits for the writer ends with the context. A regular file is a [*Watched].
func Open(ctx context.Context, path string) (io.ReadCloser, error) {
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode()&fs.ModeNamedPipe == 0 {
		err = checkRegular(path, info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	if info.Mode().IsRegular() {
		return Watch(file), nil
	}
	p := &pipe{ctx: ctx, file: file, named: info.Mode()&fs.ModeNamedPipe != 0}
	p.stop = context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Unix(1, 0)) }) // what has no deadlines does not wait either
	return p, nil
}

// pipe is the reading end of a named pipe, or a device.
type pipe struct {
	ctx   context.Context
	stop  func() bool
	file  *os.File
	named bool
	read  bool // anything
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.file.Read(b)
	p.read = p.read || n > 0
	switch {
	case err == io.EOF && !p.read && p.named:
		err = fmt.Errorf("%s is a named pipe that no program has written to: %w", p.file.Name(), ErrNotRegular)
	case errors.Is(err, os.ErrDeadlineExceeded) && p.ctx.Err() != nil:
		err = fmt.Errorf("read %s: %w", p.file.Name(), p.ctx.Err())
	}
	return n, err
}

func (p *pipe) Close() error {
	p.stop()
	return p.file.Close()
}

// OpenPipe opens the named pipe or device at path for writing. Until another program opens the pipe for
// reading it waits, and a Write waits while none reads; both end with the context.
func OpenPipe(ctx context.Context, path string) (io.WriteCloser, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		done <- opened{file, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		stop := context.AfterFunc(ctx, func() { _ = o.file.SetWriteDeadline(time.Unix(1, 0)) }) // as in Open
		return &pipeEnd{File: o.file, ctx: ctx, stop: stop}, nil
	case <-ctx.Done():
		// Nothing can end the open but a reader.
		go func() {
			if o := <-done; o.err == nil {
				o.file.Close()
			}
		}()
		return nil, fmt.Errorf("open %s: %w", path, ctx.Err())
	}
}

// OpenAppend opens a file for appending, and creates it with the permissions perm before the umask if it is missing. A
// pipe or a device is opened as by [OpenPipe].
func OpenAppend(ctx context.Context, path string, perm fs.FileMode) (io.WriteCloser, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return OpenPipe(ctx, path)
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, perm)
}

// pipeEnd is the writing end of a pipe.
type pipeEnd struct {
	*os.File
	ctx  context.Context
	stop func() bool
}

func (p *pipeEnd) Write(b []byte) (int, error) {
	n, err := p.File.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) && p.ctx.Err() != nil {
		err = fmt.Errorf("write %s: %w", p.Name(), p.ctx.Err())
	}
	return n, err
}

func (p *pipeEnd) Close() error {
	p.stop()
	return p.File.Close()
}
