package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// delivery is one image on its way to one destination.
type delivery struct {
	Destination
	ctx      context.Context
	cancel   context.CancelCauseFunc // with errDone if there is nothing to do
	progress func(content.Event)
	count    requestCount

	root     content.Manifest
	subsetOf digest.Digest        // the index of which root has some images or is one; "" if it is what was named
	all      []content.Descriptor // blobs of the image
	foreign  []content.Descriptor // layers that are left out
	missing  map[digest.Digest]bool
	shared   map[digest.Digest]*sharedBlob // of the missing blobs those that another copy sends, see SharedBlobs
	there    bool                          // the image with all its tags, so that only Options.BeforeTags is to be called
	moved    map[string]digest.Digest      // what tags named before
	kept     []TagFailure                  // tags that are not moved
	tagged   []string                      // tags that were set
	arrived  bool                          // the image is at the destination with all its tags, and was not remembered before

	attachedWrites int // found out by a preview

	resumed      atomic.Int64 // bytes that an earlier copy had sent
	mountedBlobs atomic.Int64
	mountedBytes atomic.Int64
}

func newDeliveries(ctx context.Context, dsts []Destination, opts Options) []*delivery {
	deliveries := make([]*delivery, len(dsts))
	for i, d := range dsts {
		t := &delivery{Destination: d, progress: opts.Progress, count: countRequests(d.Target)}
		t.ctx, t.cancel = context.WithCancelCause(ctx)
		deliveries[i] = t
		for _, before := range deliveries[:i] {
			if path := pathOf(d.Target); path != "" && files.Same(path, pathOf(before.Target)) {
				t.fail(fmt.Errorf("%s: it is %s, which is a destination already; name it once, with all tags", d.Target, before.Target))
			}
		}
	}
	return deliveries
}

// pathOf returns the path of a file that the target locks; "" if there is none.
func pathOf(target content.Target) string {
	if t, ok := target.(content.LockedFileTarget); ok {
		return t.Path()
	}
	return ""
}

// fail ends the delivery; the first error counts.
func (t *delivery) fail(err error) { t.cancel(err) }

// end frees what a delivery holds that has come to its end.
func (t *delivery) end() { t.cancel(nil) }

func failAll(all []*delivery, err error) {
	for _, t := range all {
		t.fail(err)
	}
}

// alive returns those to which something is still to be done.
func alive(all []*delivery) (left []*delivery) {
	for _, t := range all {
		if t.ctx.Err() == nil {
			left = append(left, t)
		}
	}
	return left
}

// each runs step for all that are alive at once; an error ends that one.
func each(all []*delivery, step func(t *delivery) error) {
	var running sync.WaitGroup
	for _, t := range alive(all) {
		running.Go(func() {
			if err := step(t); err != nil {
				t.fail(err)
			}
		})
	}
	running.Wait()
}

func (t *delivery) emit(e content.Event) {
	if t.progress != nil {
		e.Target = t.Target.String()
		t.progress(e)
	}
}

// sends reports whether the blob d is to be sent from the source, without waiting for another copy.
func (t *delivery) sends(d content.Descriptor) bool {
	return t.missing[d.Digest] && t.shared[d.Digest] == nil
}

var errNoTarget = errors.New("a destination has no Target")

// begin takes the image that is to be delivered.
func (t *delivery) begin(src content.Source, root content.Manifest) error {
	t.root = root
	if t.Target == nil {
		return errNoTarget
	}
	if got := root.Descriptor.Digest; t.Digest != "" && t.Digest != got {
		return fmt.Errorf("%s: %w: the image is %s, but the destination names %s", src, content.ErrIntegrity, got, t.Digest)
	}
	if dst, ok := t.Target.(content.SingleImageTarget); ok {
		return dst.CheckImage(t.ctx, root)
	}
	return nil
}

// checkPushed finds an image that was pushed before and is still there: one request
// instead of one for the blobs and one a manifest.
func (t *delivery) checkPushed(opts Options) (err error) {
	checker, ok := t.Target.(content.ImageChecker)
	if !ok || !opts.looksForPushed() || !opts.pushedJournal().Remembers(t.pushedKey()) {
		return nil
	}
	t.there, err = checker.HasImage(t.ctx, t.root.Descriptor, t.Tags)
	return err
}

// nothingMore ends the delivery of an image that already exists.
func (t *delivery) nothingMore(opts Options) error {
	if opts.BeforeTags != nil {
		return nil // publish calls it, and does nothing else
	}
	return errDone
}

// plan finds out what each delivery has to send.
func plan(g graph, all []*delivery, opts Options) {
	each(all, func(t *delivery) error { return t.plan(g, opts) })
}

// plan finds out which blobs have to be sent.
func (t *delivery) plan(g graph, opts Options) error {
	t.all, t.foreign = g.Blobs, g.Foreign
	if _, ok := t.Target.(content.SingleImageTarget); ok && g.hasAttachments() {
		return fmt.Errorf("%s: %w: it holds no signatures and other referrers; an OCI archive does", t.Target, content.ErrUnsupported)
	}
	if err := t.checkPushed(opts); err != nil {
		return err
	}
	if t.there {
		return t.nothingMore(opts)
	}
	if err := t.readTags(opts); err != nil {
		return err
	}
	missing, err := t.Checks.missing(t.ctx, t.Target, g.Blobs)
	if err != nil {
		return err
	}
	t.missing = make(map[digest.Digest]bool, len(missing))
	for _, d := range missing {
		t.missing[d.Digest] = true
	}
	t.emit(content.Event{Kind: content.EventPlanned, Descriptor: t.root.Descriptor, Blobs: len(missing), Bytes: content.TotalSize(missing)})
	for _, d := range g.Blobs {
		if !t.missing[d.Digest] {
			t.emit(content.Event{Kind: content.EventDone, Descriptor: d, Bytes: d.Size, Outcome: content.OutcomeSkipped})
		}
	}
	checker, ok := t.Target.(content.ImageChecker)
	// With all blobs there the whole image may be: one request then saves one for
	// each manifest. For a single one there is nothing to save.
	atLeast := 3
	if opts.BeforeTags != nil {
		atLeast-- // the image is stored once without a tag
	}
	if ok && len(missing) == 0 && len(g.Blobs) > 0 && len(g.Manifests)+len(t.Tags) >= atLeast && !g.hasAttachments() {
		if t.there, err = checker.HasImage(t.ctx, t.root.Descriptor, t.Tags); err != nil {
			return err
		}
		if t.there {
			t.arrived = true
			return t.nothingMore(opts)
		}
	}
	return nil
}

// readTags finds out which tags name another image, and refuses to move them if they are
// to be kept.
func (t *delivery) readTags(opts Options) error {
	reader, ok := t.Target.(content.TagReader)
	if !ok || len(t.Tags) == 0 {
		return nil
	}
	named, err := reader.TagDigests(t.ctx, t.Tags)
	if err != nil {
		return err
	}
	var tags []string
	for _, tag := range t.Tags {
		have, want := named[tag], t.root.Descriptor.Digest
		switch {
		case have == "" || have == want:
		case opts.KeepTags:
			t.kept = append(t.kept, TagFailure{tag, &content.ConflictError{Image: fmt.Sprintf("%s:%s", t.Target, tag), Have: have, Want: want, Kept: true}})
			continue
		case t.moved == nil:
			t.moved = map[string]digest.Digest{tag: have}
		default:
			t.moved[tag] = have
		}
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		return &TagsError{t.kept}
	}
	t.Tags = tags
	return nil
}

// finish returns the result after the last step.
func (t *delivery) finish(took time.Duration) (Result, error) {
	r := Result{
		Digest:       t.root.Descriptor.Digest,
		MediaType:    t.root.Descriptor.MediaType,
		ManifestSize: t.root.Descriptor.Size,
		Config:       configOf(t.root),
		Tags:         []string{},
		Moved:        t.moved,
		SubsetOf:     t.subsetOf,
		BlobsMounted: int(t.mountedBlobs.Load()),
		BytesMounted: t.mountedBytes.Load(),
		BytesResumed: t.resumed.Load(),
		Calls:        map[string]int{},
		Seconds:      took.Seconds(),
	}
	for _, d := range t.foreign {
		r.Foreign = append(r.Foreign, d.Digest)
	}
	for _, d := range t.all {
		if t.missing[d.Digest] {
			r.BlobsSent++
			r.BytesSent += d.Size
		} else {
			r.BlobsSkipped++
			r.BytesSkipped += d.Size
		}
	}
	r.BlobsSent -= r.BlobsMounted
	r.BytesSent -= r.BytesMounted + r.BytesResumed
	t.count.addTo(&r)
	err := context.Cause(t.ctx)
	if len(t.kept) > 0 && (err == nil || errors.Is(err, errDone)) {
		err = &TagsError{t.kept}
		t.tagged = t.Tags
	}
	if some := new(*TagsError); errors.As(err, some) {
		r.Tags = append(r.Tags, t.tagged...)
	} else {
		r.Tags = append(r.Tags, t.Tags...)
	}
	if err != nil && !errors.Is(err, errDone) {
		return r, err
	}
	return r, nil
}

// configOf returns the digest of the config of an image, "" of an index.
func configOf(m content.Manifest) digest.Digest {
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil || c.Manifests != nil || len(c.Blobs) == 0 {
		return ""
	}
	return c.Blobs[0].Digest
}
