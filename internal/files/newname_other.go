//go:build !linux && !darwin && !windows

package files

import (
	"errors"
	"os"
)

// renameNew is missing here.
func renameNew(from, to string) error {
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: errors.ErrUnsupported}
}
