package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// seal reads everything back, compares it with the plan, and completes the set. A blob that is not as it
// was sent is written again by the next export; the error wraps [content.ErrIntegrity].
func (w *writer) seal(ctx context.Context) (Set, error) {
	for _, part := range w.parts {
		if err := part.file.Sync(); err != nil {
			return Set{}, err
		}
	}
	check := &checker{plan: w.plan}
	digests, err := hashParts(ctx, w.parts, check.see)
	if err != nil {
		return Set{}, err
	}
	if len(check.wrong) > 0 {
		for _, d := range check.wrong {
			w.journal.forget(d)
		}
		return Set{}, errors.Join(fmt.Errorf("%s: %w: %d blobs read back are not what was written, %s for one; the disk may be bad: export again",
			w.dir, content.ErrIntegrity, len(check.wrong), check.wrong[0]), w.rewriteJournal())
	}
	s := Set{Version: version, ID: w.plan.id, Size: w.plan.size, Images: w.plan.images, Blobs: len(w.plan.blobs), Needs: w.plan.needs, Deltas: w.plan.deltas}
	for i, part := range w.parts {
		name := partName(i, len(w.parts))
		if err := files.Rename(part.file.Name(), filepath.Join(w.dir, name)); err != nil {
			return Set{}, err
		}
		s.Parts = append(s.Parts, Part{Name: name, Size: part.size, Digest: digests[i]})
	}
	if err := files.SyncDir(w.dir); err != nil {
		return Set{}, err
	}
	if err := s.write(w.dir, blockSums{}); err != nil {
		return Set{}, err
	}
	err = w.journal.file.Close()
	w.journal = nil
	if removed := os.Remove(filepath.Join(w.dir, journalFile)); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return s, err
}

// rewriteJournal leaves in the journal only what is still believed.
func (w *writer) rewriteJournal() error {
	title := journalTitle(w.plan.id, w.partSize)
	text := title + "\n"
	for d := range w.journal.done {
		text += "done " + string(d) + "\n"
	}
	return files.WriteFile(filepath.Join(w.dir, journalFile), []byte(text), 0o600)
}
