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
	of     *manifestRoom
	host   string
	asking *semaphore.Weighted // is held by who takes it

	mu      sync.Mutex
	free    func() // nil unless it is taken
	dropped bool
}

type readRoomKey struct{}

// withRoom returns a context with room of its own from that of all, for what is read of a registry, and what releases it.
// What the registry sends has room once it has come.
func (h *Handler) withRoom(ctx context.Context, all *manifestRoom, host string) (_ context.Context, drop func()) {
	r := &readRoom{of: all, host: host, asking: semaphore.NewWeighted(1)}
	ctx = context.WithValue(ctx, readRoomKey{}, r)
	return room.With(ctx, room.Room{Take: r.take, Spool: h.spools.of(host)}), r.drop
}

// leaveRoom releases the room of a context while a request waits for its registry or its client. What it reads after that
// takes room again.
func leaveRoom(ctx context.Context) {
	if r, ok := ctx.Value(readRoomKey{}).(*readRoom); ok {
		r.leave()
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
	free, err := r.of.take(ctx, r.host, content.MaxManifestSize)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped {
		free()
		return nil
	}
	r.free = free
	return nil
}

func (r *readRoom) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free != nil {
		r.free()
		r.free = nil
	}
}

// drop releases the room for good.
func (r *readRoom) drop() {
	r.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = true
}
