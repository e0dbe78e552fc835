package parts

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Once is content that can be read once only.
func Once(r io.Reader) *Stream {
	opened := false
	return &Stream{Memory: NewMemory(), Open: func(context.Context) (io.ReadCloser, error) {
		if opened {
			return nil, errors.New("the content cannot be read a second time")
		}
		opened = true
		return io.NopCloser(r), nil
	}}
}

// Single is an upload for which nobody waits but the caller.
func Single() content.Upload {
	ignore := func(int64) {}
	return content.Upload{Connections: 1, Slots: semaphore.NewWeighted(1), Sent: ignore, Resumed: ignore, Mounted: func() {}}
}
