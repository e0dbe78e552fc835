package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxRepositories bounds how many repositories are open.
const maxRepositories = 256

// repository is one repository of an allowed registry.
type repository struct {
	host, name string
	grants     *grants

	mu     sync.Mutex
	src    content.Source // nil is not open
	pushed time.Time      // when a client did last what only those do who push
}

// pushTime is how long after its last request about a layer a push is taken to go on.
const pushTime = 5 * time.Minute

// pushing notes that a client pushes to the repository.
func (r *repository) pushing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pushed = time.Now()
}

// isPushed reports whether a client pushes to the repository.
func (r *repository) isPushed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.pushed.IsZero() && time.Since(r.pushed) < pushTime
}

// repository returns the repository of a request. It sends no request.
func (h *Handler) repository(t target) *repository {
	key := t.host + "/" + t.repository
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repositories[key]
	if r == nil {
		if len(h.repositories) >= maxRepositories {
			h.save()
			clear(h.repositories)
		}
		r = &repository{host: t.host, name: t.repository, grants: loadGrants(h.cache.dir, key)}
		h.repositories[key] = r
	}
	return r
}

var errNoOpen = errors.New("the proxy was made without Options.Open")

// source opens a repository, which stays open: it knows where its registry is and has a
// token for it.
func (h *Handler) source(ctx context.Context, r *repository) (content.Source, error) {
	r.mu.Lock()
	src := r.src
	r.mu.Unlock()
	if src != nil {
		return src, nil
	}
	if h.options.Open == nil {
		return nil, errNoOpen
	}
	src, err := h.options.Open(ctx, r.host, r.name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.src = src
	return src, nil
}

// changed has what is known of repositories written soon.
func (h *Handler) changed() {
	select {
	case h.dirty <- struct{}{}:
	default:
	}
}

// keep writes what is known of repositories until the handler is closed.
func (h *Handler) keep() {
	for {
		select {
		case <-h.dirty:
		case <-h.life.Done():
			h.mu.Lock()
			defer h.mu.Unlock()
			h.save()
			return
		}
		h.mu.Lock()
		h.save()
		h.mu.Unlock()
	}
}

// save writes what has changed. The caller holds the lock.
func (h *Handler) save() {
	for key, r := range h.repositories {
		if err := r.grants.save(key); err != nil {
			h.options.Logger.Warn("cache", "repository", key, "error", err.Error())
		}
	}
}
