package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// seal reads everything back, compares it with the plan, and renames the parts to their final names. A blob that is not
// as it was sent is written again by the next export; the error wraps [content.ErrIntegrity].
func (w *writer) seal(ctx context.Context) (Set, error) {
	if err := w.flusher.Wait(); err != nil {
		return Set{}, err
	}
	var syncing errgroup.Group // the disk writes while what it has got is read
	for _, part := range w.parts {
		syncing.Go(part.File.Sync)
	}
	check := &checker{plan: w.plan}
	digests, err := w.parts.Hash(ctx, check.see)
	if err := errors.Join(err, syncing.Wait()); err != nil {
		return Set{}, err
	}
	if len(check.wrong) > 0 {
		for _, d := range check.wrong {
			w.journal.Forget(d)
		}
		return Set{}, errors.Join(fmt.Errorf("%s: %w: %d blobs read back are not what was written, %s for one; the disk may be bad: export again",
			w.place.name, content.ErrIntegrity, len(check.wrong), check.wrong[0]), w.journal.Rewrite(w.place.journal))
	}
	s := w.plan.set()
	for i, part := range w.parts {
		path := w.place.parts[i]
		if err := files.Rename(part.File.Name(), path); err != nil {
			return Set{}, err
		}
		s.Parts = append(s.Parts, SetPart{Name: filepath.Base(path), Size: part.Size, Digest: digests[i]})
	}
	return s, files.SyncDir(w.place.dir)
}

// done removes the journal, which a complete set does not need.
func (w *writer) done() error {
	err := w.journal.Close()
	w.journal = nil
	if removed := os.Remove(w.place.journal); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
