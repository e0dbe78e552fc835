package tempfile

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// create makes a file that the system removes when its last handle is closed, which
// it is when the process ends.
func create(dir string) (*os.File, error) {
	path := filepath.Join(dir, prefix+rand.Text())
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|windows.O_FILE_FLAG_DELETE_ON_CLOSE, 0o600)
}
