package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/journal"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// copier copies the blobs of one image.
type copier struct {
	src         content.Source
	layers      int          // large blobs at once
	connections int          // for one blob
	all         int          // connections for all blobs
	reads       *connections // that bring blobs
	writes      *connections // that take blobs
	memory      *parts.Memory
	journal     journal.Dir
	shared      *SharedBlobs
	foreign     content.BlobReader // see Options
	onDisk      content.FileReader // see Options.Local
	tempDir     string             // see Options
}

func newCopier(src content.Source, all []*delivery, opts Options) *copier {
	c := &copier{
		src: src, memory: opts.Memory.parts(), journal: opts.uploadJournal(), shared: opts.Shared, foreign: opts.Foreign, onDisk: opts.Local, tempDir: opts.TempDir,
		layers:      cmp.Or(max(opts.Layers, 0), defaultLayers),
		connections: opts.connections(),
		all:         cmp.Or(max(opts.AllConnections, 0), defaultAllConnections),
	}
	c.connections = min(c.connections, c.all)
	targets := make([]any, len(all))
	for i, t := range all {
		targets[i] = t.Target
	}
	c.reads = newConnections(c.all, opts.Now, src)
	c.writes = newConnections(c.all, opts.Now, targets...)
	return c
}

// sendBlobs copies to each delivery the blobs that it misses.
func sendBlobs(ctx context.Context, src content.Source, g graph, all []*delivery, opts Options) {
	if len(alive(all)) > 0 {
		newCopier(src, all, opts).blobs(ctx, g.Blobs, all)
	}
}

// blobs copies to each delivery those blobs that it misses, some at once: the
// largest first, since they take longest, and beside them those of one part.
func (c *copier) blobs(ctx context.Context, blobs []content.Descriptor, all []*delivery) {
	var large, small []content.Descriptor
	for _, d := range blobs {
		switch {
		case !slices.ContainsFunc(alive(all), func(t *delivery) bool { return t.sends(d) }):
		case d.Size > content.DefaultPartSize:
			large = append(large, d)
		default:
			small = append(small, d)
		}
	}
	bySize := func(a, b content.Descriptor) int { return cmp.Compare(b.Size, a.Size) }
	slices.SortStableFunc(large, bySize)
	slices.SortStableFunc(small, bySize)
	var lanes sync.WaitGroup
	lanes.Go(func() { c.lane(ctx, large, c.layers, c.connections, all) })
	// Twice as many as there are connections: one asks where its bytes are to go
	// while those of another are on their way.
	lanes.Go(func() { c.lane(ctx, small, 2*c.all, c.few(len(small)+len(large)), all) })
	for _, t := range alive(all) {
		lanes.Go(func() { c.takeShared(ctx, blobs, t) })
	}
	lanes.Wait()
}

// few is over how many connections one of so many blobs moves that need not have
// more than one: many have one each, a few share all.
func (c *copier) few(blobs int) int { return max(1, min(c.connections, c.all/max(1, blobs))) }

// lane copies blobs in their order, so many at once.
func (c *copier) lane(ctx context.Context, blobs []content.Descriptor, atOnce, connections int, all []*delivery) {
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	defer running.Wait()
	for _, d := range blobs {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if len(alive(all)) == 0 {
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			c.blob(ctx, d, connections, all)
		})
	}
}

// blob copies a blob to all deliveries that miss it.
func (c *copier) blob(ctx context.Context, d content.Descriptor, connections int, all []*delivery) {
	takers := slices.DeleteFunc(alive(all), func(t *delivery) bool { return !t.sends(d) })
	src := c.src
	if content.IsForeign(d.MediaType) {
		src = foreignSource{c.src, c.foreign}
	}
	if file, ok := c.local(ctx, d); ok {
		defer file.Close()
		src = file
	}
	if _, ok := src.(content.FileReader); !ok && len(takers) > 1 {
		file, err := c.spool(ctx, src, d, connections)
		if err != nil {
			failAll(takers, atFault(err, d.Digest))
			return
		}
		defer file.Close()
		src = file
	}
	each(takers, func(t *delivery) error {
		b := &blobCopy{copier: c, src: src, from: c.src, t: t, d: d, connections: connections, outcome: content.OutcomeSent}
		return b.whole()
	})
}

// blobCopy is one blob on its way to one destination.
type blobCopy struct {
	*copier
	src         content.Source // of the bytes
	from        content.Source // which the blob may be mounted from
	t           *delivery
	d           content.Descriptor
	connections int
	outcome     content.Outcome
	sent        atomic.Int64 // bytes
}

// whole copies the blob, and reports it.
func (b *blobCopy) whole() error {
	b.t.emit(content.Event{Kind: content.EventStarted, Descriptor: b.d, Bytes: b.d.Size})
	if err := b.run(b.t.ctx); err != nil {
		return atFault(err, b.d.Digest)
	}
	b.t.emit(content.Event{Kind: content.EventDone, Descriptor: b.d, Bytes: b.d.Size, Outcome: b.outcome})
	return nil
}

func (b *blobCopy) moved(n int64) {
	b.sent.Add(n)
	b.t.emit(content.Event{Kind: content.EventMoved, Descriptor: b.d, Bytes: n})
}

// resumed takes a negative number back: what was there was wrong.
func (b *blobCopy) resumed(n int64) {
	if n == 0 {
		return
	}
	b.outcome = content.OutcomeResumed
	if n < 0 {
		b.outcome = content.OutcomeSent
	}
	b.t.resumed.Add(n)
	b.t.emit(content.Event{Kind: content.EventResumed, Descriptor: b.d, Bytes: n})
}

func (b *blobCopy) mounted() {
	b.outcome = content.OutcomeMounted
	b.t.mountedBlobs.Add(1)
	b.t.mountedBytes.Add(b.d.Size)
}

func (b *blobCopy) run(ctx context.Context) error {
	if dst, ok := b.t.Target.(content.BlobUploader); ok {
		return b.layer(ctx, dst)
	}
	src, canRead := b.src.(content.RangeReader)
	dst, canWrite := b.t.Target.(content.FileWriter)
	if canRead && canWrite {
		if err := b.ranges(ctx, src, dst); !errors.Is(err, content.ErrNoRanges) {
			return err
		}
	}
	data, err := openBlob(ctx, b.src, b.d)
	if err != nil {
		return err
	}
	defer data.Close()
	return b.t.Target.PutBlob(ctx, b.d, &movedReader{verified(ctx, b.src, data, b.d), b.moved})
}

// openBlob opens a blob. If the connection to the source breaks the reader opens it again. It is a [content.Changer] if
// what the source opens is one.
func openBlob(ctx context.Context, src content.BlobReader, d content.Descriptor) (io.ReadCloser, error) {
	body, err := src.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	again := ranges.Reopen(ctx, body, func(ctx context.Context) (io.ReadCloser, error) { return src.Blob(ctx, d) })
	if file, ok := body.(content.Changer); ok {
		return struct {
			io.ReadCloser
			content.Changer
		}{again, file}, nil
	}
	return again, nil
}

// verified returns what data brings, whose errors name src, that it is not what d says among them.
func verified(ctx context.Context, src fmt.Stringer, data io.ReadCloser, d content.Descriptor) io.Reader {
	verifying := content.NewVerifyingReader(ctx, data, d)
	return &blamedBody{struct {
		io.Reader
		io.Closer
	}{verifying, data}, src, data}
}

// movedReader counts what is read.
type movedReader struct {
	r     io.Reader
	moved func(n int64)
}

func (m *movedReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.moved(int64(n))
	return n, err
}

// layer uploads the blob.
func (b *blobCopy) layer(ctx context.Context, dst content.BlobUploader) error {
	how := content.Upload{
		From: b.from, Connections: b.connections, Slots: b.writes,
		Sent: b.moved, Resumed: b.resumed, Mounted: b.mounted,
	}
	if b.journal != "" {
		how.Note = b.openNote
	}
	if src, ok := b.src.(content.FileReader); ok {
		file, err := src.BlobFile(ctx, b.d)
		if err != nil {
			return err
		}
		defer file.Close()
		return b.blame(file, dst.UploadBlob(ctx, b.d, parts.File{File: file}, how))
	}
	if src, ok := b.src.(content.RangeReader); ok {
		data := parts.Ranges{
			Open: b.limit(whenNeeded(src, b.d)), Memory: b.memory,
			Whole: func(ctx context.Context) (io.ReadCloser, error) { return openBlob(ctx, b.src, b.d) },
		}
		err := dst.UploadBlob(ctx, b.d, data, how)
		if !errors.Is(err, content.ErrNoRanges) {
			return b.blame(nil, err)
		}
	}
	data := &parts.Stream{Memory: b.memory, Open: func(ctx context.Context) (io.ReadCloser, error) { return openBlob(ctx, b.src, b.d) }}
	defer data.Close()
	return b.blame(nil, dst.UploadBlob(ctx, b.d, data, how))
}

// blame names the source in an error that is its fault, and says so if its file has changed.
func (b *blobCopy) blame(file content.BlobFile, err error) error {
	var wrong *content.SourceError
	if !errors.As(err, &wrong) {
		return err
	}
	return fmt.Errorf("%s: blob %s: %w", b.copier.src, b.d.Digest, content.BlameChange(file, wrong))
}

// openNote opens the journal's note of the upload; nil if another process has it.
func (b *blobCopy) openNote() (content.UploadNote, error) {
	entry, err := b.journal.Open(uploadKey(b.t.Target, b.d))
	if entry == nil {
		return nil, err
	}
	return entry, nil
}

// uploadKey names the upload of a blob in the journal.
func uploadKey(dst fmt.Stringer, d content.Descriptor) string {
	return dst.String() + "@" + string(d.Digest)
}

// whenNeeded prepares reading ranges with the first of them: a blob that is mounted
// is not read.
func whenNeeded(src content.RangeReader, d content.Descriptor) content.RangeOpener {
	var mu sync.Mutex
	var open content.RangeOpener
	prepare := func(ctx context.Context) (content.RangeOpener, error) {
		mu.Lock()
		defer mu.Unlock()
		if open != nil {
			return open, nil
		}
		var err error
		open, err = src.Ranges(ctx, d)
		return open, err
	}
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		open, err := prepare(ctx)
		if err != nil {
			return nil, content.Permanent(err)
		}
		return open(ctx, first, n)
	}
}

// ranges reads the blob over several connections into its file.
func (b *blobCopy) ranges(ctx context.Context, src content.RangeReader, dst content.FileWriter) error {
	open, err := src.Ranges(ctx, b.d)
	if err != nil {
		return err
	}
	before := int64(0)
	return dst.PutBlobFile(ctx, b.d, func(f content.PartialFile) error {
		there := int64(0)
		for _, s := range f.Done() {
			there += s.Length
		}
		b.resumed(there - before)
		before = there
		return b.fetch(ctx, f, open)
	})
}

// fetch reads the blob by ranges into f and checks it.
func (b *blobCopy) fetch(ctx context.Context, f content.PartialFile, open content.RangeOpener) error {
	return fetchRanges(ctx, f, b.src, b.d, b.limit(open), b.connections, b.moved)
}

// fetchRanges reads a blob of src by ranges into f and checks it. Errors of reading name src.
func fetchRanges(ctx context.Context, f content.PartialFile, src fmt.Stringer, d content.Descriptor, open content.RangeOpener, connections int, moved func(n int64)) error {
	hash := d.Digest.Verifier()
	if err := ranges.Fetch(ctx, f, hash, d.Size, marked(open), connections, 0, func(n int) { moved(int64(n)) }); err != nil {
		return blameReading(src, err)
	}
	if !hash.Verified() {
		return blameSource(src, fmt.Errorf("%w: the bytes of blob %s have another digest", content.ErrIntegrity, d.Digest))
	}
	return nil
}

// limit makes open wait until fewer than all connections of the copy are in use.
func (c *copier) limit(open content.RangeOpener) content.RangeOpener {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		if err := c.reads.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		body, err := open(ctx, first, n)
		if err != nil {
			c.reads.Release(1)
			return nil, err
		}
		return &limitedBody{body, sync.OnceFunc(func() { c.reads.Release(1) })}, nil
	}
}

// limitedBody returns its connection back when it is closed.
type limitedBody struct {
	io.ReadCloser
	release func()
}

func (b *limitedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
