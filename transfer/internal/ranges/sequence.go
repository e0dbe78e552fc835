package ranges

import (
	"context"
	"io"
	"sync"
)

// sequence writes the bytes of a blob to a hash, in their order: at once where they come in order, and from the file
// otherwise.
type sequence struct {
	mu   sync.Mutex
	at   int64 // bytes that were written
	hash io.Writer
}

// write writes p if it is next, and reports whether it was.
func (s *sequence) write(p []byte, at int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != at {
		return false, nil
	}
	_, err := s.hash.Write(p)
	s.at += int64(len(p))
	return true, err
}

// follow writes the bytes of a piece as they arrive in f, but those that were written already.
func (s *sequence) follow(ctx context.Context, p *piece, f io.ReaderAt, buffer []byte) error {
	for {
		left, err := s.next(p, f, buffer)
		if err != nil {
			return err
		}
		if left == 0 {
			return ctx.Err()
		}
		if left > 0 {
			continue
		}
		select {
		case <-p.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next writes some bytes of a piece. It returns how many bytes of the piece are left; -1 if f does not have the next one.
func (s *sequence) next(p *piece, f io.ReaderAt, buffer []byte) (left int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left = p.End() - s.at; left <= 0 { // what was written at once may reach into the next one
		return 0, nil
	}
	n := min(p.First+p.ready.Load()-s.at, int64(len(buffer)))
	if n <= 0 {
		return -1, nil
	}
	if m, err := f.ReadAt(buffer[:n], s.at); int64(m) < n {
		return left, err
	}
	_, err = s.hash.Write(buffer[:n])
	s.at += n
	return left - n, err
}
