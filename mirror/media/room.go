package media

import (
	"errors"
	"fmt"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrTooLarge reports a part that is larger than the file system takes, such as FAT32 from 4 GiB on.
var ErrTooLarge = errors.New("the file system takes no file of this size")

// ErrDiskFull reports a file system without room for a set. The error of temporary files is [content.ErrNoRoom].
var ErrDiskFull = errors.New("the disk is full")

// room explains an error of the file system that a set is written to. It wraps [ErrDiskFull] or [ErrTooLarge].
func room(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case files.IsFull(err):
		return fmt.Errorf("%s: %w; what was written is kept, and the next export resumes: %w", name, ErrDiskFull, err)
	case files.IsTooLarge(err):
		return fmt.Errorf("%s: %w: %w", name, ErrTooLarge, err)
	}
	return err
}

// temporaryRoom explains an error of temporary files. It wraps [content.ErrNoRoom] if their disk is full.
func temporaryRoom(err error) error {
	if files.IsFull(err) && !errors.Is(err, content.ErrNoRoom) {
		return fmt.Errorf("%w for temporary files: %w", content.ErrNoRoom, err)
	}
	return err
}

// checkRoom returns an error that wraps [ErrDiskFull] if the file system, as far as it says, does not have room
// for what is missing.
func (w *writer) checkRoom(free func(dir string) (free, total int64, err error)) error {
	missing := int64(0)
	for _, m := range w.plan.members {
		if w.journal.IsDone(m.digest) {
			continue
		}
		missing += m.end() - m.at
		for _, s := range w.journal.Spans(m.digest, m.size) {
			missing -= s.Length
		}
	}
	have, total, err := free(w.place.dir)
	if err != nil || total <= 0 || have >= missing {
		return nil // what the system does not know shows when it is written
	}
	return fmt.Errorf("%s: %w: the set needs %d MiB more, and %d MiB are free; nothing was written", w.place.name, ErrDiskFull, missing>>20+1, have>>20)
}
