package layout

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
)

// PutTagged stores a manifest and names it in index.json, in the place of any
// image that had the tag.
func (l *Layout) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	if err := l.putManifest(ctx, m); err != nil {
		return err
	}
	return l.addToIndex(ctx, []content.TaggedManifest{{Manifest: m, Tag: tag}})
}

func (l *Layout) addToIndex(ctx context.Context, added []content.TaggedManifest) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := imagefs.ReadFile(l.files, ocispec.ImageIndexFile, MaxIndexSize)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	updated, err := AddToIndex(old, added...)
	if err != nil {
		return fmt.Errorf("%s: index.json: %w", l, err)
	}
	if err := l.writeIndex(updated); err != nil {
		return err
	}
	l.sweep(time.Now())
	return nil
}

// writeIndex replaces index.json. The caller holds the lock.
func (l *Layout) writeIndex(data []byte) error {
	// What it names is on disk before it.
	err := files.SyncDir(filepath.Join(l.dir, ocispec.ImageBlobsDir, "sha256"))
	if err == nil {
		err = files.WriteFile(filepath.Join(l.dir, ocispec.ImageIndexFile), data, 0o666)
	}
	if err != nil {
		return fmt.Errorf("%s: index.json: %w", l, err)
	}
	return nil
}

// SetTag is PutTagged, and reports whether it has changed anything.
func (l *Layout) SetTag(ctx context.Context, m content.Manifest, tag string) (changed bool, err error) {
	have, err := l.Resolve(ctx, tag)
	changed = err != nil || have.Descriptor.Digest != m.Descriptor.Digest
	return changed, l.PutTagged(ctx, m, tag)
}

// indexEntry is an entry of index.json.
type indexEntry struct {
	raw    json.RawMessage
	digest digest.Digest
	name   string
	gone   bool
}

// AddToIndex returns an index.json with entries for manifests, each under its tag if it has one, and keeps all else that is in
// it. Of a manifest only the descriptor counts. A tag that names another manifest is moved. The error wraps
// [content.ErrIntegrity] if data is no index.json.
func AddToIndex(data []byte, added ...content.TaggedManifest) ([]byte, error) {
	index, existing, err := decodeIndexEntries(data)
	if err != nil {
		return nil, err
	}
	var entries []*indexEntry
	names, digests := map[string][]*indexEntry{}, map[digest.Digest][]*indexEntry{}
	add := func(e *indexEntry) {
		entries = append(entries, e)
		names[e.name] = append(names[e.name], e)
		digests[e.digest] = append(digests[e.digest], e)
	}
	for _, raw := range existing {
		var e content.Descriptor
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
		add(&indexEntry{raw: raw, digest: e.Digest, name: e.Annotations[ocispec.AnnotationRefName]})
	}
	changed := false
	for _, m := range added {
		d, tag := m.Descriptor, m.Tag
		same := func(e *indexEntry) bool { return !e.gone && (tag == "" || e.name == tag) }
		if slices.ContainsFunc(digests[d.Digest], same) {
			continue // there already, without a tag under whatever name
		}
		if tag != "" {
			for _, e := range names[tag] {
				e.gone = true
			}
			names[tag] = nil
		}
		for _, e := range digests[d.Digest] {
			e.gone = e.gone || e.name == ""
		}
		entry := content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
		if tag != "" {
			entry.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
		}
		raw, err := json.Marshal(entry)
		if err != nil {
			return nil, err
		}
		add(&indexEntry{raw: raw, digest: d.Digest, name: tag})
		changed = true
	}
	if !changed {
		return data, nil
	}
	kept := make([]json.RawMessage, 0, len(entries))
	for _, e := range entries {
		if !e.gone {
			kept = append(kept, e.raw)
		}
	}
	if index["manifests"], err = json.Marshal(kept); err != nil {
		return nil, err
	}
	return json.Marshal(index)
}

// decodeIndexEntries reads an index.json as its members and its entries.
func decodeIndexEntries(data []byte) (map[string]json.RawMessage, []json.RawMessage, error) {
	var index map[string]json.RawMessage
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	if index == nil {
		return nil, nil, fmt.Errorf("%w: null", content.ErrIntegrity)
	}
	var entries []json.RawMessage
	if raw, ok := index["manifests"]; ok {
		if err := json.Unmarshal(raw, &entries); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
	}
	return index, entries, nil
}
