package layout

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/files"
)

// lockName is the file that is locked by whoever writes index.json, and removed
// afterwards.
const lockName = files.TempPrefix + "lock"

// lock keeps other processes from writing index.json until unlock is called. Several
// users may write to one layout.
func (l *Layout) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := files.AcquireShared(ctx, filepath.Join(l.dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l, err)
	}
	return lock.Remove, nil
}
