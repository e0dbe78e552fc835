package files

import (
	"io/fs"
	"os"
)

// Watched is an open file that knows whether it was written to since [Watch].
type Watched struct {
	*os.File
	before fs.FileInfo // nil if it is not known
}

// Watch returns f as a file that is watched from now on.
func Watch(f *os.File) *Watched {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		info = nil // who reads it meets the error
	}
	return &Watched{f, info}
}

// Changed reports whether the file has another size or time of modification than before. Another file under its name does
// not count, and neither does what cannot be found out.
func (w *Watched) Changed() bool {
	if w.before == nil {
		return false
	}
	now, err := w.Stat()
	return err == nil && (now.Size() != w.before.Size() || !now.ModTime().Equal(w.before.ModTime()))
}
