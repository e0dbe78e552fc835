//go:build unix

package tokenstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func rename(from, to string) error { return os.Rename(from, to) }

// syncDirectory makes a rename last.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("token cache: %w", err)
	}
	defer directory.Close()
	if err := directory.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("token cache: %w", err)
	}
	return nil
}
