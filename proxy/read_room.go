package proxy

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/internal/calls/room"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// readRoom is the room of one request, or one verification, for what it reads of a registry or the cache: manifests,
// lists and signatures. It takes that of the largest manifest, once: who has some and waits for more would wait for
// others that do the same.
type readRoom struct {
	of     manifestRoom
	asking *semaphore.Weighted // is held by who takes it

	mu      sync.Mutex
	free    func() // nil before it is taken
	dropped bool
}

type readRoomKey struct{}

// withRoom returns a context with room of its own from that of all, and what releases it.
func withRoom(ctx context.Context, all manifestRoom) (_ context.Context, drop func()) {
	r := &readRoom{of: all, asking: semaphore.NewWeighted(1)}
	return room.With(context.WithValue(ctx, readRoomKey{}, r), r.take), r.drop
}

// dropRoom releases the room of a context, before what follows.
func dropRoom(ctx context.Context) {
	if r, ok := ctx.Value(readRoomKey{}).(*readRoom); ok {
		r.drop()
	}
}

// takeRoom takes room for size bytes that are read under a context with room.
func takeRoom(ctx context.Context, size int64) error {
	if r, ok := ctx.Value(readRoomKey{}).(*readRoom); ok && size > smallManifest {
		return r.take(ctx)
	}
	return nil
}

func (r *readRoom) take(ctx context.Context) error {
	if err := r.asking.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.asking.Release(1)
	r.mu.Lock()
	taken := r.free != nil
	r.mu.Unlock()
	if taken {
		return nil
	}
	free, err := r.of.take(ctx, content.MaxManifestSize)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free = free; r.dropped {
		free()
	}
	return nil
}

func (r *readRoom) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free != nil && !r.dropped {
		r.free()
	}
	r.dropped = true
}
