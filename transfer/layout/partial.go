package layout

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

// maxPartialAge is how long a partial file may wait for a process that resumes
// it.
const maxPartialAge = 7 * 24 * time.Hour

// minResumed is the size in bytes from which a partial file is kept for a process that
// resumes it. Smaller ones may never be wanted again: a new signature, say, has
// another digest.
const minResumed = 64 << 10

// sweep removes what killed processes left behind: partial files whose blob exists
// or that are small or old, unless a process has them, and other temporary files, which are
// written under the lock only. What cannot be removed, as it may be another user's,
// stays.
func (l *Layout) sweep(now time.Time) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := filepath.Join(l.dir, e.Name())
		d, ok := partial.Digest(e.Name())
		if !ok {
			if strings.HasPrefix(e.Name(), files.TempPrefix) && e.Name() != lockName {
				_ = os.Remove(name)
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone in the meantime
		}
		_, err = os.Stat(filepath.Join(l.dir, filepath.FromSlash(BlobPath(d))))
		if err == nil || now.Sub(info.ModTime()) >= maxPartialAge || l.partialSize(d) < minResumed {
			partial.Sweep(name)
		}
	}
}

// partialSize is the size in bytes of the partial file of a blob; 0 if only its lock
// is there.
func (l *Layout) partialSize(d digest.Digest) int64 {
	info, err := os.Lstat(filepath.Join(l.dir, partial.Name(d)))
	if err != nil {
		return 0
	}
	return info.Size()
}
