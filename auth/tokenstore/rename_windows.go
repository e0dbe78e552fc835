package tokenstore

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// rename tries again while another process has the file open.
func rename(from, to string) error {
	const attempts = 20
	var err error
	for range attempts {
		if err = os.Rename(from, to); err == nil || !errors.Is(err, fs.ErrPermission) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

func syncDirectory(string) error { return nil }
