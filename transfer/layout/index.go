package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

// PutTagged stores a manifest and names it in index.json, in the place of any
// image that had the tag.
func (l *Layout) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	if err := l.putManifest(ctx, m); err != nil {
		return err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := imagefs.ReadFile(l.files, ocispec.ImageIndexFile, MaxIndexSize)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	updated, err := AddToIndex(old, m.Descriptor, tag)
	if err != nil {
		return fmt.Errorf("%s: index.json: %w", l, err)
	}
	if err := l.write(ocispec.ImageIndexFile, os.Rename, updated); err != nil {
		return fmt.Errorf("%s: index.json: %w", l, err)
	}
	return wrap(l, l.sweep(time.Now()))
}

// lock keeps other processes from writing index.json until unlock is called.
func (l *Layout) lock(ctx context.Context) (unlock func(), err error) {
	// The file oci-layout serves as the lock: it is there and never replaced.
	lock := flock.New(filepath.Join(l.dir, ocispec.ImageLayoutFile))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("%s: waiting for the lock on oci-layout: %w", l, err)
	}
	return func() { lock.Close() }, nil
}

// SetTag is PutTagged, and tells whether it has changed anything.
func (l *Layout) SetTag(ctx context.Context, m content.Manifest, tag string) (changed bool, err error) {
	have, err := l.Resolve(ctx, tag)
	changed = err != nil || have.Descriptor.Digest != m.Descriptor.Digest
	return changed, l.PutTagged(ctx, m, tag)
}

// maxPartialAge is how long a partial file may wait for a process that goes on
// with it.
const maxPartialAge = 7 * 24 * time.Hour

// sweep removes what killed processes left behind: partial files whose blob is
// there or that are old, unless a process has them, and other temporary files,
// which are written under the lock only.
func (l *Layout) sweep(now time.Time) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		encoded, ok := strings.CutPrefix(e.Name(), partial.Prefix)
		if !ok {
			continue
		}
		encoded, _, _ = strings.Cut(encoded, ".")
		if digest.SHA256.Validate(encoded) != nil {
			if err := os.Remove(filepath.Join(l.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone in the meantime
		}
		d := digest.NewDigestFromEncoded(digest.SHA256, encoded)
		_, err = os.Stat(filepath.Join(l.dir, filepath.FromSlash(BlobPath(d))))
		if err != nil && now.Sub(info.ModTime()) < maxPartialAge {
			continue
		}
		if err := partial.Remove(filepath.Join(l.dir, partial.Name(d))); err != nil {
			return err
		}
	}
	return nil
}

// AddToIndex puts an entry into an index.json and keeps all else that is in it.
func AddToIndex(data []byte, d content.Descriptor, tag string) ([]byte, error) {
	index, entries, err := decodeIndexEntries(data)
	if err != nil {
		return nil, err
	}
	kept := make([]json.RawMessage, 0, len(entries)+1)
	for _, raw := range entries {
		var e content.Descriptor
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
		name := e.Annotations[ocispec.AnnotationRefName]
		if e.Digest == d.Digest && (tag == "" || name == tag) {
			return data, nil // there already, without a tag under whatever name
		}
		if name == tag && tag != "" || name == "" && e.Digest == d.Digest {
			continue
		}
		kept = append(kept, raw)
	}
	entry := content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	if tag != "" {
		entry.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	}
	raw, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	if index["manifests"], err = json.Marshal(append(kept, raw)); err != nil {
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
