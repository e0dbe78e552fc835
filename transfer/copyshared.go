package transfer

import (
	"context"
	"sync"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// takeShared copies the blobs to a delivery that other copies send to its registry, when these have stored them.
func (c *copier) takeShared(ctx context.Context, blobs []content.Descriptor, t *delivery) {
	slots := make(chan struct{}, 2*c.all)
	var running sync.WaitGroup
	defer running.Wait()
	for _, d := range blobs {
		if t.shared[d.Digest] == nil {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if t.ctx.Err() != nil {
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := c.sharedBlob(d, t); err != nil {
				t.fail(err)
			}
		})
	}
}

// sharedBlob copies one blob that another copy sends to the same registry.
func (c *copier) sharedBlob(d content.Descriptor, t *delivery) error {
	from := supplyOf(c.src, d)
	stored, err := c.shared.wait(t.ctx, t, d.Digest, from)
	if err != nil {
		return err
	}
	b := &blobCopy{copier: c, src: c.src, from: c.src, t: t, d: d, connections: c.connections, outcome: content.OutcomeSent}
	other, ok := stored.(content.Source)
	if !ok {
		return b.whole()
	}
	b.from = other
	if from == inFile {
		err := b.whole()
		c.noteShared(b, err, false)
		return err
	}
	b.src = other
	err = b.whole()
	if err == nil || from == elsewhere || t.ctx.Err() != nil {
		c.noteShared(b, err, false)
		return err
	}
	// It could not be taken from there: a destination may refuse to be read.
	c.noteShared(b, nil, true)
	b.moved(-b.sent.Load())
	b.src, b.from = c.src, c.src
	return b.whole()
}

// noteShared remembers how a blob came that another copy had sent.
func (c *copier) noteShared(b *blobCopy, err error, unreadable bool) {
	if err == nil {
		c.shared.note(b.t, b.outcome == content.OutcomeMounted, unreadable)
	}
}
