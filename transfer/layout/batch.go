package layout

import (
	"context"
	"sync"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Batch is a layout as the [content.Target] of many copies. It writes index.json once, when
// it is committed; until then nobody sees what was copied.
type Batch struct {
	*Layout

	mu     sync.Mutex
	tagged []content.TaggedManifest
}

var (
	_ content.Target    = (*Batch)(nil)
	_ content.Committer = (*Batch)(nil)
)

// NewBatch returns a batch for the layout.
func NewBatch(l *Layout) *Batch { return &Batch{Layout: l} }

// PutTagged stores a manifest and notes its tag.
func (b *Batch) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	if err := b.putManifest(ctx, m); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tagged = append(b.tagged, content.TaggedManifest{Manifest: m, Tag: tag})
	return nil
}

// PutManifest stores a manifest. One that refers to another is noted for index.json too.
func (b *Batch) PutManifest(ctx context.Context, m content.Manifest) error {
	if _, subject, err := content.ReferrerOf(m); err == nil && subject != "" {
		return b.PutTagged(ctx, m, "")
	}
	return b.Layout.PutManifest(ctx, m)
}

// Commit writes what was noted to index.json.
func (b *Batch) Commit(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.tagged) == 0 {
		return nil
	}
	if err := b.addToIndex(ctx, b.tagged); err != nil {
		return err
	}
	b.tagged = nil
	return nil
}
