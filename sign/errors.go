package sign

import "errors"

var (
	// ErrUnsigned is wrapped by errors about an image without any signature.
	ErrUnsigned = errors.New("it is not signed")
	// ErrUntrusted is wrapped by errors about an image with signatures, none of
	// which, or too few, are what was required.
	ErrUntrusted = errors.New("its signatures are not those that are required")
)
