package sign

import "errors"

var (
	// ErrNoAttestation is wrapped, with [ErrUnsigned], by errors about an image without
	// any attestation where one is required.
	ErrNoAttestation = errors.New("it does not have an attestation of type")
	// ErrUnsigned is wrapped by errors about an image without any signature.
	ErrUnsigned = errors.New("it is not signed")
	// ErrUntrusted is wrapped by errors about an image with signatures, none of
	// which, or too few, are what was required.
	ErrUntrusted = errors.New("its signatures are not those that are required")
)
