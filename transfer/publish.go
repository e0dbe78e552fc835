package transfer

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// manifestsAtOnce is how many manifests are sent at the same time.
const manifestsAtOnce = 8

// publish stores the manifests of each delivery that has its blobs, and the tags last.
func publish(g graph, all []*delivery, opts Options) {
	each(all, func(t *delivery) error { return t.publish(g, opts) })
}

// publish stores the manifests, the image itself last, and its tags.
func (t *delivery) publish(g graph, opts Options) error {
	if t.there {
		return t.beforeTags(opts)
	}
	last := len(g.Manifests) - 1
	if err := t.putManifests(g.Manifests[:last]); err != nil {
		return err
	}
	tags := t.Tags
	if len(tags) == 0 {
		tags = []string{""}
	}
	if g.isStoredFirst(opts) {
		var err error
		if opts.unlisted || len(t.Tags) > 0 {
			err = t.putManifest(t.ctx, t.root)
		} else {
			err, tags = t.setTags(tags), nil
		}
		if err != nil {
			return err
		}
	}
	for _, m := range g.referrers { // one may be the subject of the next
		if err := t.putManifest(t.ctx, m); err != nil {
			return err
		}
	}
	if err := t.putAttached(g.attached); err != nil {
		return err
	}
	if opts.unlisted {
		return nil
	}
	if err := t.beforeTags(opts); err != nil {
		return err
	}
	if err := t.setTags(tags); err != nil {
		return err
	}
	if dst, ok := t.Target.(content.Committer); ok {
		if err := dst.Commit(t.ctx); err != nil {
			return err
		}
	}
	t.arrived = true
	return nil
}

// isStoredFirst reports whether the image is stored by its digest before it gets its
// tags: none must name an image whose signatures are yet to come.
func (g *graph) isStoredFirst(opts Options) bool {
	return opts.unlisted || opts.BeforeTags != nil || g.hasAttachments()
}

// beforeTags calls Options.BeforeTags.
func (t *delivery) beforeTags(opts Options) error {
	if opts.BeforeTags == nil {
		return nil
	}
	t.emit(content.Event{Kind: content.EventStored, Descriptor: t.root.Descriptor})
	err := opts.BeforeTags(t.ctx, t.Target, t.root)
	switch {
	case err == nil:
		return nil
	case t.there || len(t.Tags) == 0:
		return fmt.Errorf("%s: image %s: %w", t.Target, t.root.Descriptor.Digest, err)
	}
	return fmt.Errorf("%s: image %s gets no tag: %w", t.Target, t.root.Descriptor.Digest, err)
}

// setTags sets the tags of the image; "" is an image without one. All of them are tried: a
// tag that is immutable keeps no other from being set.
func (t *delivery) setTags(tags []string) error {
	failures := make([]error, len(tags))
	var group errgroup.Group
	group.SetLimit(manifestsAtOnce)
	for i, tag := range tags {
		group.Go(func() error {
			failures[i] = t.setTag(tag)
			return nil
		})
	}
	_ = group.Wait()
	var failed []TagFailure
	for i, err := range failures {
		if err != nil {
			failed = append(failed, TagFailure{tags[i], err})
		} else if tags[i] != "" {
			t.tagged = append(t.tagged, tags[i])
		}
	}
	_, file := t.Target.(content.Committer)
	switch {
	case len(failed) == 0:
		return nil
	case len(tags) == 1, file: // a file is not written
		t.tagged = nil
		return failed[0].Err
	}
	return &TagsError{failed}
}

func (t *delivery) setTag(tag string) error {
	if err := t.ctx.Err(); err != nil {
		return context.Cause(t.ctx)
	}
	if err := t.Target.PutTagged(t.ctx, t.root, tag); err != nil {
		return err
	}
	t.emit(content.Event{Kind: content.EventTagged, Descriptor: t.root.Descriptor, Tag: tag})
	return nil
}

// putManifests stores manifests in their order; images, which wait for nothing,
// at once.
func (t *delivery) putManifests(manifests []content.Manifest) error {
	group, ctx := errgroup.WithContext(t.ctx)
	group.SetLimit(manifestsAtOnce)
	var indexes []content.Manifest
	for _, m := range manifests {
		if content.IsIndex(m.Descriptor.MediaType) {
			indexes = append(indexes, m)
			continue
		}
		group.Go(func() error { return t.putManifest(ctx, m) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, m := range indexes {
		if err := t.putManifest(t.ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (t *delivery) putManifest(ctx context.Context, m content.Manifest) error {
	if err := t.Target.PutManifest(ctx, m); err != nil {
		return err
	}
	t.emit(content.Event{Kind: content.EventDone, Descriptor: m.Descriptor, Bytes: m.Descriptor.Size, Outcome: content.OutcomeSent})
	return nil
}
