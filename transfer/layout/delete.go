package layout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/deletion"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
)

var _ content.Deleter = (*Layout)(nil)

// PlanDelete reads index.json and the manifests for their sizes.
func (l *Layout) PlanDelete(ctx context.Context, names []content.ImageName) (content.DeletePlan, error) {
	var images []content.Image
	for image, err := range l.Images(ctx, content.AnyTags) {
		if err != nil {
			return content.DeletePlan{}, err
		}
		images = append(images, image)
	}
	return deletion.Plan(images, names), nil
}

// Delete removes entries of index.json and no blob: another process may be about
// to name a blob that it has found here. Unlike in a repository, an image stays
// under its digest in an index that names it.
func (l *Layout) Delete(ctx context.Context, names []content.ImageName) (content.Deletions, error) {
	if err := CheckVersion(l.files); err != nil {
		return content.Deletions{}, fmt.Errorf("%s: %w", l, l.explain(err))
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return content.Deletions{}, err
	}
	defer unlock()
	old, err := imagefs.ReadFile(l.files, ocispec.ImageIndexFile, MaxIndexSize)
	if err != nil {
		return content.Deletions{}, fmt.Errorf("%s: %w", l, err)
	}
	updated, result, err := deleteFromIndex(old, deletion.Unique(names))
	if err != nil {
		return content.Deletions{}, fmt.Errorf("%s: index.json: %w", l, err)
	}
	for _, failure := range result.Failures {
		failure.Place = l.String()
	}
	if len(result.Deleted) == 0 {
		return result, nil
	}
	if err := l.writeIndex(updated); err != nil {
		return content.Deletions{}, err
	}
	return result, nil
}

// deleteFromIndex takes entries out of an index.json and keeps all else that is in
// it. A name that no entry has is an ImageNotFound.
func deleteFromIndex(data []byte, names []content.ImageName) ([]byte, content.Deletions, error) {
	index, entries, err := decodeIndexEntries(data)
	if err != nil {
		return nil, content.Deletions{}, err
	}
	var result content.Deletions
	found := map[content.ImageName]bool{}
	kept := make([]json.RawMessage, 0, len(entries))
	for _, raw := range entries {
		var d content.Descriptor
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, content.Deletions{}, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
		entry := content.ImageName{Tag: d.Annotations[ocispec.AnnotationRefName], Digest: d.Digest}
		remove := false
		for _, n := range names {
			if (n.Digest == "" || n.Digest == entry.Digest) && (n.Tag == "" || n.Tag == entry.Tag) {
				found[n], remove = true, true
			}
		}
		if remove {
			result.Deleted = append(result.Deleted, entry)
		} else {
			kept = append(kept, raw)
		}
	}
	for _, n := range names {
		if !found[n] {
			result.Failures = append(result.Failures, &content.DeleteError{Name: n, Code: content.CodeImageNotFound, Reason: "no entry of index.json"})
		}
	}
	result.Deleted = slices.Compact(result.Deleted)
	if index["manifests"], err = json.Marshal(kept); err != nil {
		return nil, content.Deletions{}, err
	}
	updated, err := json.Marshal(index)
	return updated, result, err
}
