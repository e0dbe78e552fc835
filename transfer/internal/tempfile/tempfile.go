package tempfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is a file without a name: it is gone when it is closed or the process
// ends, however that happens.
type File struct{ *os.File }

// New makes the file in dir; "" is that of os.TempDir.
func New(dir string) (File, error) {
	f, err := os.CreateTemp(dir, "ecrkit-")
	if err != nil {
		return File{}, err
	}
	// Where an open file keeps its name, Close removes it.
	_ = os.Remove(f.Name())
	return File{f}, nil
}

// Close removes the file.
func (f File) Close() error {
	err := f.File.Close()
	if err2 := os.Remove(f.Name()); err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
		err = errors.Join(err, err2)
	}
	return err
}

// Section is a blob in a file that stays open.
type Section struct{ *io.SectionReader }

func (Section) Close() error { return nil }

// NewSection reads the section from its beginning on.
func NewSection(s *io.SectionReader) Section {
	return Section{io.NewSectionReader(s, 0, s.Size())}
}
