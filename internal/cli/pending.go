package cli

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// pendingTarget is the destination of many copies that is written once, by finish.
type pendingTarget interface {
	content.Target
	finish(ctx context.Context) error
}

// pending returns a target for many copies of one that is written with each of them, and
// nil for any other.
func pending(t content.Target) pendingTarget {
	switch t := t.(type) {
	case *layout.Layout:
		return pendingLayout{layout.NewBatch(t)}
	case *archive.Target:
		return &pendingArchive{Target: t}
	}
	return nil
}

type pendingLayout struct{ *layout.Batch }

// Commit does nothing: the next image comes.
func (pendingLayout) Commit(context.Context) error { return nil }

// finish names the images in index.json, those too that were copied before an interruption.
func (p pendingLayout) finish(ctx context.Context) error {
	return p.Batch.Commit(context.WithoutCancel(ctx))
}

type pendingArchive struct {
	*archive.Target
	put atomic.Bool // an image was put
}

// PutTagged notes that there is an image to write.
func (p *pendingArchive) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	err := p.Target.PutTagged(ctx, m, tag)
	if err == nil {
		p.put.Store(true)
	}
	return err
}

// Commit does nothing: the next image comes.
func (*pendingArchive) Commit(context.Context) error { return nil }

// Close does nothing: the next image comes.
func (*pendingArchive) Close() error { return nil }

// finish writes the file, unless nothing was copied or the command was interrupted: then a
// later one resumes.
func (p *pendingArchive) finish(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.Target.Close()) }()
	if !p.put.Load() || ctx.Err() != nil {
		return nil
	}
	return p.Target.Commit(ctx)
}

// finishCollected writes what was copied to one file or directory.
func (c *copying) finishCollected(ctx context.Context) error {
	if c.collected == nil {
		return nil
	}
	return c.collected.finish(ctx)
}
