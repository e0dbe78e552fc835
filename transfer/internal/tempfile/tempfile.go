// Package tempfile makes temporary files of which nothing remains when the process ends.
package tempfile

import (
	"io"
	"os"
)

// File is a file without a name: it is gone when it is closed or the process
// ends, however that happens.
type File struct{ *os.File }

// prefix begins the name of a file that has one.
const prefix = "ecrkit-"

// New makes the file in dir; "" is that of os.TempDir.
func New(dir string) (File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := create(dir)
	return File{f}, err
}

// Section is a blob in a file that stays open.
type Section struct{ *io.SectionReader }

func (Section) Close() error { return nil }

// NewSection reads the section from its beginning on.
func NewSection(s *io.SectionReader) Section {
	return Section{io.NewSectionReader(s, 0, s.Size())}
}
