package awskms

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/sign"
)

var (
	// ErrNotFound reports that AWS KMS has no such key, in this region and for this identity.
	ErrNotFound = errors.New("the key does not exist")
	// ErrUnusable reports that a key is disabled or about to be deleted, or does not sign images.
	ErrUnusable = errors.New("the key cannot be used")
	// ErrAccess reports that there are no AWS credentials, or that they do not allow what was asked.
	ErrAccess = errors.New("no access to the key")
	// ErrUnavailable reports that AWS KMS did not answer, or not as it should, and may do so later.
	ErrUnavailable = errors.New("AWS KMS is not available")
)

// Error is a failure to use a key of AWS KMS. Its text is one line with the key, the cause and the
// next step, and holds no access key ID, token or signature.
type Error struct {
	Key    string // as KMS is asked for it
	Region string // "" if none is set
	Kind   error  // one of the sentinel errors, [content.ErrIntegrity], or nil
	Next   string // what to do about it; may be empty
	Err    error  // the cause, as the SDK gave it
}

var _ sign.KeyError = (*Error)(nil)

func (e *Error) Error() string {
	text := "KMS key " + e.Key
	// An ARN has it.
	if e.Region != "" && !strings.HasPrefix(e.Key, "arn:") {
		text += " in " + e.Region
	}
	cause, _ := auth.Describe(e.Err)
	text += ": " + cause
	if e.Next != "" {
		text += "; " + e.Next
	}
	return text
}

// KeyName returns Key: the text of the error has it.
func (e *Error) KeyName() string { return e.Key }

// Unwrap returns Kind and Err.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

const usableKey = "use a key whose KeyUsage is SIGN_VERIFY and whose KeySpec is ECC_NIST_P256 (or ECC_NIST_P384, ECC_NIST_P521, RSA_2048, RSA_3072, RSA_4096)"

// fail explains an error of a call.
func (k *Key) fail(err error) error {
	e := &Error{Key: k.ref.Key, Region: k.region, Err: err}
	_, e.Next = auth.Describe(err)
	var api smithy.APIError
	if !errors.As(err, &api) {
		switch {
		case errors.Is(err, context.Canceled):
		case errors.Is(err, auth.ErrNoCredentials), strings.Contains(err.Error(), "get credentials"):
			e.Kind = ErrAccess
		default:
			e.Kind = ErrUnavailable
		}
		return e
	}
	switch code := api.ErrorCode(); code {
	case "NotFoundException":
		e.Kind, e.Next = ErrNotFound, "check its name, the region, and with `aws sts get-caller-identity` the account"
	case "DisabledException":
		e.Kind, e.Next = ErrUnusable, "enable it with `aws kms enable-key`, or use another key"
	case "KMSInvalidStateException":
		e.Kind, e.Next = ErrUnusable, "see its state with `aws kms describe-key`; a deletion that is pending ends with `aws kms cancel-key-deletion` and `aws kms enable-key`"
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		e.Kind, e.Next = ErrUnusable, usableKey
	case "AccessDeniedException":
		// Describe has named the action.
		e.Kind, e.Next = ErrAccess, e.Next+" for this key; the key policy of another account has to allow it too"
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "AccessDenied", "MissingAuthenticationTokenException":
		e.Kind = ErrAccess
	case "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException":
		e.Kind, e.Next = ErrUnavailable, "try again later"
	default:
		var response *awshttp.ResponseError
		if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
			e.Kind, e.Next = ErrUnavailable, "try again later, or ask for a higher quota of AWS KMS requests"
		} else if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
			e.Kind = ErrUnavailable
		}
	}
	return e
}
