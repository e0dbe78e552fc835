package proxy

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxPrepared bounds the blobs that are prepared and not asked for.
	maxPrepared = 1024
	// maxPreparing bounds the requests that prepare the blobs of one manifest.
	maxPreparing = 4
	// preparedFor is how long a blob stays prepared: the URLs of registries expire.
	preparedFor = 5 * time.Minute
)

// preparations are blobs that clients are about to ask for: the registry was asked for the URL
// of each, and not for its bytes.
type preparations struct {
	mu  sync.Mutex
	all map[preparedKey]*preparation
	run sync.WaitGroup
}

type preparedKey struct {
	repo *repository
	d    digest.Digest
}

// preparation is one blob. Who has removed it from the map waits until it is done, unless
// it has not begun.
type preparation struct {
	at    time.Time
	begun bool // guarded by that of preparations

	done chan struct{} // is closed when open and err are set
	open content.RangeOpener
	err  error
}

// prepare asks the registry for the URLs of the blobs that the manifest m names, as its client will
// want those that the cache does not have. What fails is asked for again by the client's request.
func (h *Handler) prepare(repo *repository, m content.Manifest) {
	named, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return
	}
	wanted := slices.DeleteFunc(named.Blobs, func(d content.Descriptor) bool {
		return h.cache.has(d.Digest) || h.fetches.has(d.Digest) || !h.prepared.add(preparedKey{repo, d.Digest})
	})
	if len(wanted) == 0 {
		return
	}
	h.prepared.run.Go(func() {
		src, err := h.source(h.life, repo)
		group := errgroup.Group{}
		group.SetLimit(maxPreparing)
		for _, d := range wanted {
			p := h.prepared.begin(preparedKey{repo, d.Digest})
			if p == nil {
				continue
			}
			group.Go(func() error {
				defer close(p.done)
				if p.err = err; err == nil {
					p.open, p.err = rangesOf(h.life, src, d)
				}
				return nil
			})
		}
		_ = group.Wait() // has no errors
	})
}

// add notes that a blob is to be prepared, and reports whether nobody else does that and there is room.
func (p *preparations) add(key preparedKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if has := p.all[key]; has != nil && now.Sub(has.at) < preparedFor {
		return false
	}
	if len(p.all) >= maxPrepared {
		for key, old := range p.all {
			if now.Sub(old.at) >= preparedFor {
				delete(p.all, key)
			}
		}
	}
	if len(p.all) >= maxPrepared {
		return false
	}
	p.all[key] = &preparation{at: now, done: make(chan struct{})}
	return true
}

// begin returns what is to be prepared; nil if its client was faster.
func (p *preparations) begin(key preparedKey) *preparation {
	p.mu.Lock()
	defer p.mu.Unlock()
	has := p.all[key]
	if has == nil || has.begun {
		return nil
	}
	has.begun = true
	return has
}

// take removes what was prepared, and returns nil if nothing was, or it was not begun or is too old.
func (p *preparations) take(key preparedKey) *preparation {
	p.mu.Lock()
	defer p.mu.Unlock()
	has := p.all[key]
	delete(p.all, key)
	if has == nil || !has.begun || time.Since(has.at) >= preparedFor {
		return nil
	}
	return has
}

// preparedSource is a source whose blobs may have been prepared.
type preparedSource struct {
	content.Source
	repo     *repository
	prepared *preparations
}

// Ranges prepares to read ranges.
func (s preparedSource) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	if p := s.prepared.take(preparedKey{s.repo, d.Digest}); p != nil {
		select {
		case <-p.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if p.err == nil {
			return p.open, nil
		}
	}
	return rangesOf(ctx, s.Source, d)
}
