package proxy

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxPrepared bounds the blobs that are prepared and not asked for.
	maxPrepared = 1024
	// maxPreparing bounds the requests that prepare the blobs of one manifest.
	maxPreparing = 4
	// wholeSize is the size of a blob in bytes up to which all of it is prepared.
	wholeSize = 512 << 10
	// headSize is how many bytes of a larger blob are prepared.
	headSize = 64 << 10
	// maxHeads bounds the prepared bytes of all blobs, which are kept in memory.
	maxHeads = 16 << 20
	// preparedFor is how long a blob stays prepared: the URLs of registries expire.
	preparedFor = 5 * time.Minute
)

// preparations are blobs that clients are about to ask for: the registry was asked for the URL
// of each, and for its first bytes.
type preparations struct {
	mu    sync.Mutex
	all   map[preparedKey]*preparation
	heads int64 // bytes of heads, and of those that are being read
	run   sync.WaitGroup
}

type preparedKey struct {
	repo *repository
	d    digest.Digest
}

// preparation is one blob. Who has removed it from the map waits until it is done, unless
// it has not begun.
type preparation struct {
	at     time.Time
	begun  bool        // guarded by that of preparations
	room   int64       // bytes that the head may have. Guarded likewise
	expiry *time.Timer // nil before begun. Guarded likewise

	done chan struct{} // is closed when open, head and err are set
	open content.RangeOpener
	head []byte // the first bytes, if they could be read
	err  error
}

// prepare asks the registry for the URLs and the first bytes of the blobs that the manifest m names, as its client
// will want those that the cache does not have. What fails is asked for again by the client's request.
func (h *Handler) prepare(repo *repository, m content.Manifest) {
	named, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return
	}
	var wanted []content.Descriptor // at most maxPrepared: those of a large manifest would take megabytes until the last has come
	for _, d := range named.Blobs {
		if !h.cache.has(d.Digest) && !h.fetches.has(d.Digest) && h.prepared.add(preparedKey{repo, d.Digest}) {
			wanted = append(wanted, d)
		}
	}
	if len(wanted) == 0 {
		return
	}
	h.prepared.run.Go(func() {
		ctx, cancel := context.WithCancel(h.life)
		defer cancel()
		// A registry that refuses is asked again by the client's request, which says so.
		ctx = retry.WithWatch(ctx, impatient(cancel))
		src, err := h.source(ctx, repo)
		group := errgroup.Group{}
		group.SetLimit(maxPreparing)
		for _, d := range wanted {
			p := h.prepared.begin(preparedKey{repo, d.Digest}, d.Size)
			if p == nil {
				continue
			}
			group.Go(func() error {
				if p.err = err; err == nil {
					p.open, p.err = rangesOf(ctx, src, d)
				}
				if p.err == nil && p.room > 0 {
					p.head = h.readHead(p.open, p.room)
				}
				close(p.done)
				if int64(len(p.head)) == d.Size {
					h.keepBlob(preparedSource{src, repo, &h.prepared}, d)
				}
				return nil
			})
		}
		_ = group.Wait() // has no errors
	})
}

// impatient is a [retry.Watch] that ends what waits.
type impatient context.CancelFunc

// Waits implements [retry.Watch].
func (end impatient) Waits(any, retry.Verdict, time.Time) { end() }

// Ended implements [retry.Watch].
func (impatient) Ended(any, retry.Verdict, time.Time) {}

// keepBlob brings a blob into the cache before its client asks for it.
func (h *Handler) keepBlob(src preparedSource, d content.Descriptor) {
	r, err := h.follow(src, d)
	if err != nil {
		return // there is no room, or the client was faster
	}
	defer r.leave()
	_, _ = r.f.wait(h.life, d.Size-1) // what fails is no entry
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
				p.remove(key)
			}
		}
	}
	if len(p.all) >= maxPrepared {
		return false
	}
	p.remove(key)
	p.all[key] = &preparation{at: now, done: make(chan struct{})}
	return true
}

// begin returns what is to be prepared of a blob of size bytes; nil if its client was faster.
func (p *preparations) begin(key preparedKey, size int64) *preparation {
	p.mu.Lock()
	defer p.mu.Unlock()
	has := p.all[key]
	if has == nil || has.begun {
		return nil
	}
	room := size
	if size > wholeSize {
		room = headSize
	}
	if p.heads+room <= maxHeads {
		has.room = room
		p.heads += room
	}
	has.begun = true
	has.expiry = time.AfterFunc(preparedFor, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.all[key] == has {
			p.remove(key)
		}
	})
	return has
}

// remove removes what was prepared. The caller holds the lock.
func (p *preparations) remove(key preparedKey) {
	if has := p.all[key]; has != nil {
		if p.heads -= has.room; has.expiry != nil {
			has.expiry.Stop()
		}
		delete(p.all, key)
	}
}

// take removes what was prepared, and returns nil if nothing was, or it was not begun or is too old.
func (p *preparations) take(key preparedKey) *preparation {
	p.mu.Lock()
	defer p.mu.Unlock()
	has := p.all[key]
	p.remove(key)
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

// first returns the first bytes of a blob, if they have come before its client asked for it. They stay prepared.
func (s preparedSource) first(d content.Descriptor) []byte {
	s.prepared.mu.Lock()
	p := s.prepared.all[preparedKey{s.repo, d.Digest}]
	s.prepared.mu.Unlock()
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
	default:
		return nil
	}
	if len(p.head) > maxFirst {
		return bytes.Clone(p.head[:maxFirst]) // not to keep all of it in memory
	}
	return p.head[:len(p.head):len(p.head)]
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
			return withHead(p.head, p.open), nil
		}
	}
	return rangesOf(ctx, s.Source, d)
}
