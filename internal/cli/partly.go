package cli

import "errors"

// partlyError is what failed of several things of which others were done.
type partlyError struct{ error }

func (e partlyError) Unwrap() error { return e.error }

// partly makes the error of a command that does several things one after the
// other; done is how many went well.
func partly(done int, failures []error) error {
	err := errors.Join(failures...)
	if err == nil || done == 0 {
		return err
	}
	return partlyError{err}
}
