//go:build unix

package tempfile

import (
	"errors"
	"os"
)

// create makes a file and removes its name.
func create(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
