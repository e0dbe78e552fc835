package sign

import (
	"errors"
	"fmt"

	"github.com/ecrkit/ecrkit/transfer/content"
)

var (
	// ErrNoAttestation is wrapped, with [ErrUnsigned], by errors about an image without
	// any attestation where one is required.
	ErrNoAttestation = errors.New("it does not have an attestation of type")
	// ErrUnsigned is wrapped by errors about an image without any signature.
	ErrUnsigned = errors.New("it is not signed")
	// ErrMissing is wrapped, with [content.ErrNotFound], by errors about an image of which a signature or
	// attestation is listed, but missing, and that is not verified without it.
	ErrMissing = fmt.Errorf("not all that is listed as its signatures is there, so that it could not be checked: %w", content.ErrNotFound)
	// ErrUntrusted is wrapped by errors about an image with signatures, none of
	// which, or too few, are what was required.
	ErrUntrusted = errors.New("its signatures are not those that are required")
)
