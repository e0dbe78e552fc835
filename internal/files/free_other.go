//go:build !linux && !darwin && !freebsd && !windows

package files

import "errors"

// Free returns an error that wraps [errors.ErrUnsupported].
func Free(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
