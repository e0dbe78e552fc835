package files

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

func rename(from, to string) error {
	const attempts = 12
	wait := time.Millisecond
	for range attempts {
		err := os.Rename(from, to)
		if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		time.Sleep(wait)
		wait = min(2*wait, 150*time.Millisecond)
	}
	return os.Rename(from, to)
}

func syncDir(string) error { return nil }
