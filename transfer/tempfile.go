package transfer

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// tempFile is a file without a name: it is gone when it is closed or the process
// ends, however that happens.
type tempFile struct{ *os.File }

// newTempFile makes the file in dir; "" is that of os.TempDir.
func newTempFile(dir string) (tempFile, error) {
	f, err := os.CreateTemp(dir, "ecrkit-")
	if err != nil {
		return tempFile{}, err
	}
	// Where an open file keeps its name, Close removes it.
	_ = os.Remove(f.Name())
	return tempFile{f}, nil
}

// Close removes the file.
func (f tempFile) Close() error {
	err := f.File.Close()
	if err2 := os.Remove(f.Name()); err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
		err = errors.Join(err, err2)
	}
	return err
}

// sectionFile is a blob in a file that stays open.
type sectionFile struct{ *io.SectionReader }

func (sectionFile) Close() error { return nil }

// newSectionFile reads the section from its beginning on.
func newSectionFile(s *io.SectionReader) sectionFile {
	return sectionFile{io.NewSectionReader(s, 0, s.Size())}
}
