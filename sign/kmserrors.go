package sign

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/ecrkit/ecrkit/auth"
)

var (
	// ErrKeyNotFound reports that AWS KMS has no such key, in this region and for this identity.
	ErrKeyNotFound = errors.New("the key does not exist")
	// ErrKeyUnusable reports that a key is disabled or about to be deleted, or is none that signs images.
	ErrKeyUnusable = errors.New("the key cannot be used")
	// ErrKeyAccess reports that there are no AWS credentials, or that they do not allow what was asked.
	ErrKeyAccess = errors.New("no access to the key")
	// ErrKeyUnavailable reports that AWS KMS did not answer, or not as it should, and may do so later.
	ErrKeyUnavailable = errors.New("AWS KMS is not available")
)

// KMSError is a failure to use a key of AWS KMS. Its text is one line with the key, the cause and the
// next step, and holds no access key ID, token or signature.
type KMSError struct {
	Key    string // as KMS is asked for it
	Region string // "" if none is set
	Kind   error  // one of the sentinel errors, transfer.ErrIntegrity, or nil
	Next   string // what to do about it; may be empty
	Err    error  // the cause, as the SDK gave it
}

func (e *KMSError) Error() string {
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

// Unwrap returns Kind and Err.
func (e *KMSError) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

const usableKey = "use a key whose KeyUsage is SIGN_VERIFY and whose KeySpec is ECC_NIST_P256 (or ECC_NIST_P384, ECC_NIST_P521, RSA_2048, RSA_3072, RSA_4096)"

// fail explains an error of a call.
func (k *KMS) fail(err error) error {
	e := &KMSError{Key: k.ref.Key, Region: k.region, Err: err}
	_, e.Next = auth.Describe(err)
	var api smithy.APIError
	if !errors.As(err, &api) {
		switch {
		case errors.Is(err, context.Canceled):
		case errors.Is(err, auth.ErrNoCredentials), strings.Contains(err.Error(), "get credentials"):
			e.Kind = ErrKeyAccess
		default:
			e.Kind = ErrKeyUnavailable
		}
		return e
	}
	switch code := api.ErrorCode(); code {
	case "NotFoundException":
		e.Kind, e.Next = ErrKeyNotFound, "check its name, the region, and with `aws sts get-caller-identity` the account"
	case "DisabledException":
		e.Kind, e.Next = ErrKeyUnusable, "enable it with `aws kms enable-key`, or use another key"
	case "KMSInvalidStateException":
		e.Kind, e.Next = ErrKeyUnusable, "see its state with `aws kms describe-key`; a deletion that is pending ends with `aws kms cancel-key-deletion` and `aws kms enable-key`"
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		e.Kind, e.Next = ErrKeyUnusable, usableKey
	case "AccessDeniedException":
		// Describe has named the action.
		e.Kind, e.Next = ErrKeyAccess, e.Next+" for this key; the key policy of another account has to allow it too"
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "AccessDenied", "MissingAuthenticationTokenException":
		e.Kind = ErrKeyAccess
	case "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException":
		e.Kind, e.Next = ErrKeyUnavailable, "try again later"
	default:
		var response *awshttp.ResponseError
		if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
			e.Kind, e.Next = ErrKeyUnavailable, "try again later, or ask for a higher quota of AWS KMS requests"
		} else if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
			e.Kind = ErrKeyUnavailable
		}
	}
	return e
}
