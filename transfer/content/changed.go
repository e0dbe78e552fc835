package content

import "errors"

// ChangedError is the error of bytes from a file that was written to while it was read. It is an [ErrIntegrity]: the
// bytes are of no version of the file.
type ChangedError struct {
	Err error // what was wrong with the bytes; nil if they were not compared with anything
}

func (e *ChangedError) Error() string {
	text := "the file changed while it was read; run this again when nothing writes to it"
	if e.Err != nil {
		text = e.Err.Error() + ": " + text
	}
	return text
}

// Is makes the error an [ErrIntegrity].
func (e *ChangedError) Is(target error) bool { return target == ErrIntegrity }

// Unwrap returns what was wrong.
func (e *ChangedError) Unwrap() error { return e.Err }

// Permanent has nobody read the bytes again: the file may be changing still.
func (e *ChangedError) Permanent() bool { return true }

// Changer is an open file that may know whether it was written to.
type Changer interface {
	// Changed reports whether the file is known to be another one than when it was opened.
	Changed() bool
}

// BlameChange returns err, an error about what was read of file, as a [*ChangedError] if file is a [Changer] that has
// changed.
func BlameChange(file any, err error) error {
	if known := (*ChangedError)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	if c, ok := file.(Changer); ok && c.Changed() {
		return &ChangedError{err}
	}
	return err
}
