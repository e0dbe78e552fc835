package sign

import "errors"

var (
	// ErrUnsigned is wrapped by errors about an image without any signature.
	ErrUnsigned = errors.New("it is not signed")
	// ErrUntrusted is wrapped by errors about an image with signatures, none of
	// which, or too few, are what was required.
	ErrUntrusted = errors.New("its signatures are not those that are required")
)

// ImmutableTagError says that a repository does not let the tag of legacy signatures
// name one more.
type ImmutableTagError struct {
	Image string // HOST/REPOSITORY:TAG
	Err   error  // of the store; wraps transfer.ErrConflict
}

func (e *ImmutableTagError) Error() string {
	return "tag " + e.Image + " is immutable, so the signatures that it names cannot become more; sign in the format bundle, " +
		"or let such tags move: add the exclusion filter sha256-*.sig to the tag immutability of the repository"
}

func (e *ImmutableTagError) Unwrap() error { return e.Err }
