package proxy

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// heldBack is how many bytes at the end of a blob wait until its digest agrees.
const heldBack = 4 << 10

// fetchPatience is how long a fetch goes on without clients. containerd reads a layer in chunks, and ends
// each request before it sends the next one; others try again when a connection breaks.
const fetchPatience = 5 * time.Second

// fetch is one blob on its way into the cache, for any number of clients.
type fetch struct {
	d      content.Descriptor
	file   *partial
	cancel context.CancelFunc
	filled chan struct{} // is closed after done, when it is in the cache or could not be put there

	readers int         // guarded by that of fetches
	last    *time.Timer // ends it; nil unless its clients have gone. Guarded likewise

	mu      sync.Mutex
	ready   int64 // bytes that may be read
	done    bool
	err     error
	changed chan struct{} // closed when one of these changes
}

// fetches are those that run, by digest. No two are of the same blob.
type fetches struct {
	mu  sync.Mutex
	all map[digest.Digest]*fetch
	run sync.WaitGroup
}

// has reports whether a blob is on its way.
func (f *fetches) has(d digest.Digest) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[d] != nil
}

// follow opens the blob d, which is not in the cache, while it comes from src. The error is
// [errNoRoom] if the cache cannot keep it, [errMoved] if it has it now.
func (h *Handler) follow(src preparedSource, d content.Descriptor) (*follower, error) {
	h.fetches.mu.Lock()
	defer h.fetches.mu.Unlock()
	f := h.fetches.all[d.Digest]
	if f == nil {
		first := src.first(d)
		file, err := h.cache.create(d, first)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(h.life)
		f = &fetch{d: d, file: file, cancel: cancel, changed: make(chan struct{}), filled: make(chan struct{})}
		f.advance(int64(len(first)))
		h.fetches.all[d.Digest] = f
		h.fetches.run.Go(func() { h.fill(ctx, src, f) })
	}
	if f.d.Size != d.Size { // one of two manifests lies
		return nil, errNoRoom
	}
	f.readers++
	if f.last != nil {
		f.last.Stop()
	}
	return &follower{f: f, leave: func() { h.leave(f) }}, nil
}

// fill brings the blob of f into its file.
func (h *Handler) fill(ctx context.Context, src preparedSource, f *fetch) {
	defer f.cancel()
	defer close(f.filled)
	ctx, wait, done := h.watched(ctx, src.repo.host, kindBlobs, true)
	defer done()
	begin := sync.OnceFunc(wait.begin)
	if f.hasBytes() {
		begin()
	}
	ordered := func(n int64) {
		if f.advance(n) {
			begin()
		}
	}
	err := wait.explain(ctx, transfer.FollowBlob(ctx, boundedSource{h.counted(src), h.slots}, f.d, f.file, ordered, transfer.Options{Connections: h.options.Connections}))
	// What is right is for the clients to have, whether or not it can be kept.
	f.end(err)
	if err != nil {
		if isDiskFailure(err) { // clients get the blob all the same, so nobody else would know
			h.options.Logger.Warn("cache", "digest", f.d.Digest, "error", err.Error())
		} else if ctx.Err() == nil { // to clients that have some bytes it is only a connection that ends
			h.options.Logger.Warn("blob", "repository", src.repo.host+"/"+src.repo.name, "digest", f.d.Digest, "error", failureOf(kindBlobs, err).message)
		}
		f.file.discard()
	} else if err := f.file.commit(); err != nil {
		h.options.Logger.Warn("cache", "digest", f.d.Digest, "error", err.Error())
	}
	h.fetches.mu.Lock()
	defer h.fetches.mu.Unlock()
	if h.fetches.all[f.d.Digest] == f {
		delete(h.fetches.all, f.d.Digest)
	}
}

// leave ends a fetch that no client wants any more, after a while.
func (h *Handler) leave(f *fetch) {
	h.fetches.mu.Lock()
	defer h.fetches.mu.Unlock()
	if f.readers--; f.readers == 0 && !h.options.Prefetch && !f.isDone() {
		f.last = time.AfterFunc(h.fetchPatience, func() { h.abandon(f) })
	}
}

// abandon ends a fetch that has no clients.
func (h *Handler) abandon(f *fetch) {
	h.fetches.mu.Lock()
	defer h.fetches.mu.Unlock()
	if f.readers > 0 || h.fetches.all[f.d.Digest] != f {
		return
	}
	f.cancel()
	// Who comes now begins again.
	delete(h.fetches.all, f.d.Digest)
}

// following returns how many blobs are on their way, and how many clients read them.
func (h *Handler) following() (fetching, followers int) {
	h.fetches.mu.Lock()
	defer h.fetches.mu.Unlock()
	for _, f := range h.fetches.all {
		followers += f.readers
	}
	return len(h.fetches.all), followers
}

func (f *fetch) isDone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// hasBytes reports whether some bytes may be read.
func (f *fetch) hasBytes() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ready > 0
}

// advance notes that n bytes from the beginning on are in the file, and reports whether some may be read.
func (f *fetch) advance(n int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ready := min(n, f.d.Size-heldBack); ready > f.ready {
		f.ready = ready
		f.tell()
	}
	return f.ready > 0
}

// end notes that the blob is complete and right, or why it is not.
func (f *fetch) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done, f.err = true, err; err == nil {
		f.ready = f.d.Size
	}
	f.tell()
}

func (f *fetch) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// wait waits until bytes behind at may be read, and returns up to where.
func (f *fetch) wait(ctx context.Context, at int64) (int64, error) {
	for {
		f.mu.Lock()
		ready, done, err, changed := f.ready, f.done, f.err, f.changed
		f.mu.Unlock()
		switch {
		case err != nil:
			return 0, err
		case done || ready > at:
			return ready, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// follower is an [io.ReadSeeker] of a blob that is on its way.
type follower struct {
	f     *fetch
	file  *os.File // nil while the first bytes are read from memory
	leave func()
	ctx   context.Context // of the client's request
	at    int64

	// resume reads the rest from the registry, where the disk of the cache is full.
	resume func(at int64) (io.ReadCloser, error)
	rest   io.ReadCloser
}

// begin waits for the first bytes, which are in memory or in the file. The error is [errMoved] if the cache had them
// and has removed them since.
func (r *follower) begin(ctx context.Context) error {
	r.ctx = ctx
	if _, err := r.f.wait(ctx, 0); err != nil || len(r.f.file.inMemory(0)) > 0 {
		return err
	}
	openErr := r.open()
	if openErr == nil {
		return nil
	}
	select {
	case <-r.f.filled:
		return errors.Join(errMoved, openErr)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open opens the file, unless it is open.
func (r *follower) open() (err error) {
	if r.file == nil {
		r.file, err = r.f.file.open()
	}
	return err
}

// next waits for bytes, and returns those that are in memory, or else how many the file has, which is open then. If
// the disk is to blame that there are none, the rest comes from the registry.
func (r *follower) next() (early []byte, n int64, err error) {
	end, err := r.f.wait(r.ctx, r.at)
	if err == nil {
		if early := r.f.file.inMemory(r.at); len(early) > 0 {
			return early[:min(int64(len(early)), end-r.at)], 0, nil
		}
		err = r.open()
	}
	if isDiskFailure(err) {
		r.rest, err = r.resume(r.at)
	}
	return nil, end - r.at, err
}

// Read waits for the bytes.
func (r *follower) Read(p []byte) (int, error) {
	if r.at >= r.f.d.Size {
		return 0, io.EOF
	}
	if r.rest == nil {
		early, n, err := r.next()
		if err != nil {
			return 0, err
		}
		if len(early) > 0 {
			n := copy(p, early)
			r.at += int64(n)
			return n, nil
		}
		if r.rest == nil {
			return r.readFile(p[:min(int64(len(p)), n)])
		}
	}
	n, err := r.rest.Read(p)
	r.at += int64(n)
	return n, err
}

func (r *follower) readFile(p []byte) (int, error) {
	n, err := r.file.ReadAt(p, r.at)
	r.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt reads bytes that were read before.
func (r *follower) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, r.f.file.inMemory(off))
	if n == len(p) {
		return n, nil
	}
	if err := r.open(); err != nil {
		return n, err
	}
	m, err := r.file.ReadAt(p[n:], off+int64(n))
	return n + m, err
}

// Seek moves to where the next byte is read.
func (r *follower) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.f.d.Size
	}
	if offset < 0 {
		return 0, errors.New("before the first byte")
	}
	r.at = offset
	return offset, nil
}

// Close ends the reading.
func (r *follower) Close() error {
	r.leave()
	if r.rest != nil {
		r.rest.Close()
	}
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
