//go:build !linux && !darwin && !freebsd && !windows

package doctor

import "errors"

// Free returns [errors.ErrUnsupported].
func Free(string) (Space, error) { return Space{}, errors.ErrUnsupported }
