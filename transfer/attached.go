package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// attachedKinds are those that are copied with their image. A list of referrers is
// kept by who writes a referrer.
var attachedKinds = []string{content.DigestTagSignatures, content.DigestTagAttestation, content.DigestTagSBOM}

// attachedTags are the tags of what may be attached to the manifests.
func attachedTags(subjects []content.Manifest) []string {
	tags := make([]string, 0, len(subjects)*len(attachedKinds))
	for _, m := range subjects {
		for _, kind := range attachedKinds {
			tags = append(tags, content.DigestTag(m.Descriptor.Digest, kind))
		}
	}
	return tags
}

// findTags returns what those of the tags exist, by tag, and verifies
// it. An endpoint that cannot be read has none.
func findTags(ctx context.Context, endpoint fmt.Stringer, tags []string) (found map[string]content.Manifest, err error) {
	switch e := endpoint.(type) {
	case content.TagFinder:
		found, err = e.FindTags(ctx, tags)
	case content.Resolver:
		found, err = imagetree.ResolveTags(ctx, tags, e.Resolve)
	}
	if err != nil {
		return nil, err
	}
	for tag, m := range found {
		if err := imagetree.CheckResolved(endpoint, tag, m); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// mergedTag is a manifest that is to have a tag in a destination.
type mergedTag struct {
	content.TaggedManifest
	config []byte // of it, to be stored before; nil if it is there
	grows  bool   // a list that the destination has
}

// mergeTags finds out what is to be written so that the destination has what is
// attached to the image, and keeps the signatures that it has.
func (t *delivery) mergeTags(attached []content.TaggedManifest) ([]mergedTag, error) {
	tags := make([]string, len(attached))
	for i, m := range attached {
		tags[i] = m.Tag
	}
	if len(tags) == 0 {
		return nil, nil
	}
	there, err := findTags(t.ctx, t.Target, tags)
	if err != nil {
		return nil, err
	}
	var writes []mergedTag
	for _, m := range attached {
		write := mergedTag{TaggedManifest: m}
		have, ok := there[m.Tag]
		_, kind, _ := content.ParseDigestTag(m.Tag)
		// A bill of materials is one, and no list: it is replaced as by any other copy.
		if ok && kind != content.DigestTagSBOM {
			write.grows = true
			if write.Manifest, write.config, err = mergeSignatures(have, m.Manifest); err != nil {
				return nil, fmt.Errorf("%s:%s: %w", t.Target, m.Tag, err)
			}
		}
		if !ok || write.Descriptor.Digest != have.Descriptor.Digest {
			writes = append(writes, write)
		}
	}
	return writes, nil
}

// putAttached stores what is attached to the image under tags made of its digest. Lists
// that others may replace at the same time are written until they stay.
func (t *delivery) putAttached(attached []content.TaggedManifest) error {
	_, atOnce := t.Target.(content.Committer) // nobody else writes to it
	err := retry.Settle(t.ctx, retry.MaxSettleTries, retry.SettlePause, func(ctx context.Context) (func(context.Context) error, error) {
		writes, err := t.mergeTags(attached)
		if err != nil {
			return nil, err
		}
		write := func(ctx context.Context) error { return t.putMerged(ctx, writes) }
		if atOnce || !slices.ContainsFunc(writes, func(w mergedTag) bool { return w.grows }) {
			return nil, write(ctx)
		}
		return write, nil
	})
	if errors.Is(err, retry.ErrUnsettled) {
		return fmt.Errorf("%s: the signatures of image %s: %w; copy again later", t.Target, t.root.Descriptor.Digest, err)
	}
	return err
}

func (t *delivery) putMerged(ctx context.Context, writes []mergedTag) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(manifestsAtOnce)
	for _, w := range writes {
		group.Go(func() error {
			if w.config != nil {
				if err := t.Target.PutBlob(ctx, configDescriptor(w.config), strings.NewReader(string(w.config))); err != nil {
					return err
				}
			}
			if err := t.Target.PutTagged(ctx, w.Manifest, w.Tag); err != nil {
				return err
			}
			t.emit(content.Event{Kind: content.EventDone, Descriptor: w.Descriptor, Bytes: w.Descriptor.Size, Outcome: content.OutcomeSent})
			return nil
		})
	}
	return group.Wait()
}
