package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/safetext"
)

// Error is a failure of a call to AWS for a registry. Its text is one line with
// the registry, the cause and the next step, and holds no access key ID, token
// or signature.
type Error struct {
	Registry Registry
	Next     string // what to do about it; may be empty
	Err      error  // the cause, as the SDK gave it
}

func (e *Error) Error() string {
	text := cause(e.Err)
	if e.Registry.Host != "" { // of a service without a registry
		text = e.Registry.Host + ": " + text
	}
	if e.Next != "" {
		text += "; " + e.Next
	}
	return text
}

// Permanent reports that the call is not to be retried: it was, as often as it may be.
func (e *Error) Permanent() bool { return true }

func (e *Error) Unwrap() error { return e.Err }

// Explain wraps an error of the AWS SDK in an [*Error]. It returns nil for nil
// and an error that is explained already as it is.
func Explain(r Registry, err error) error {
	var explained *Error
	if err == nil || errors.As(err, &explained) {
		return err
	}
	return &Error{Registry: r, Next: nextStep(err), Err: err}
}

// Describe returns the cause of a failed call to any AWS service and the next step,
// which may be "", in the words of an [*Error].
func Describe(err error) (reason, next string) { return cause(err), nextStep(err) }

// nextStep returns what to do about err, or "". Codes of the API come from
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
// and those of STS.
func nextStep(err error) string {
	var (
		api       smithy.APIError
		noProfile config.SharedConfigProfileNotExistError
		sso       *ssocreds.InvalidTokenError
		transport *url.Error
		garbled   *smithy.DeserializationError
		login     *loginError
		half      *halfPairError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &login):
		return login.next()
	case errors.As(err, &half):
		return "set " + half.missing + half.where
	case errors.As(err, &noProfile):
		return "check AWS_PROFILE, the profile in the rules of ecrkit's config.yaml, and the profiles in the AWS config file"
	case errors.As(err, &sso):
		return "run `aws sso login` for the profile in use"
	case strings.Contains(err.Error(), "AWS_RETRY_MODE value, unknown RetryMode"): // "legacy" of other SDKs; the SDK has no type for it
		return "set AWS_RETRY_MODE to standard or unset it"
	case strings.Contains(err.Error(), "unknown RetryMode"):
		return "set retry_mode to standard in this profile or remove it"
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "AccessDenied", "AccessDeniedException":
			return "allow " + operation(err, ":") + " to this identity"
		case "RequestTimeTooSkewed":
			return "set this machine's clock"
		case "InvalidSignatureException", "SignatureDoesNotMatch":
			if strings.Contains(api.ErrorMessage(), "Signature expired") || strings.Contains(api.ErrorMessage(), "not yet current") {
				return "set this machine's clock"
			}
			return "check the secret access key and this machine's clock"
		case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "RequestExpired":
			return "renew the AWS credentials in use and see that `aws sts get-caller-identity` works"
		case "ThrottlingException", "Throttling", "TooManyRequestsException":
			return "try again later or with less at once"
		}
		return ""
	case errors.As(err, &garbled):
		return "see whether something else than AWS answers (a proxy, " + endpointVariable(err) + ")"
	case errors.As(err, new(*oidcError)):
		return ""
	case errors.Is(err, fs.ErrNotExist) && errors.Is(err, ErrNoCredentials):
		return "check AWS_WEB_IDENTITY_TOKEN_FILE or web_identity_token_file"
	case errors.As(err, new(config.AssumeRoleTokenProviderNotSetError)):
		return "use a profile without mfa_serial: get a session with `aws sts get-session-token` or use IAM Identity Center"
	case errors.As(err, &transport) && !errors.Is(err, ErrNoCredentials) && isContainer(transport):
		return "see whether the service runs that AWS_CONTAINER_CREDENTIALS_FULL_URI or …_RELATIVE_URI names"
	case errors.As(err, &transport) && !errors.Is(err, ErrNoCredentials):
		return "check the network, the proxy settings and " + endpointVariable(err)
	case errors.Is(err, ErrNoCredentials), strings.Contains(err.Error(), "get credentials"):
		return "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"
	case errors.Is(err, context.DeadlineExceeded):
		return "check the network, the proxy settings and " + endpointVariable(err)
	}
	return ""
}

// cause is the part of err that a user needs: without the wrapping of the SDK.
func cause(err error) string {
	var (
		api       smithy.APIError
		transport *url.Error
	)
	text := err.Error()
	_, credentials, noCredentials := strings.Cut(text, "get credentials: ")
	switch {
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	case errors.As(err, &api):
		text = fmt.Sprintf("%s: %s: %s", operation(err, " "), api.ErrorCode(), api.ErrorMessage())
	case noCredentials && errors.Is(err, ErrNoCredentials):
		text = credentials
	case noCredentials && errors.As(err, &transport):
		text = "AWS credentials: " + transportText(transport)
	case noCredentials:
		text = "no AWS credentials: " + strings.TrimPrefix(credentials, "failed to refresh cached credentials, ")
	case errors.Is(err, ErrNoCredentials):
		text = strings.Replace(text, "failed to refresh cached credentials, ", "", 1)
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
	case errors.As(err, &transport):
		text = transportText(transport)
	}
	return strings.TrimSuffix(Redact(text), ".")
}

func transportText(e *url.Error) string {
	return fmt.Sprintf("%s %s: %v", e.Op, withoutQuery(e.URL), e.Err)
}

// isContainer reports whether a request was one for the credentials of a container, which are served by plain HTTP.
func isContainer(e *url.Error) bool {
	u, err := url.Parse(e.URL)
	return err == nil && u.Scheme == "http" && e.Op == "Get" && (loopback.Is(u.Host) || loopback.IsMetadata(u.Host))
}

// operation names the innermost SDK call in err, "ecr:PutImage" with ":" between.
func operation(err error, between string) string {
	name := "AWS call"
	for {
		var op *smithy.OperationError
		if !errors.As(err, &op) {
			return name
		}
		name = strings.ToLower(op.ServiceID) + between + op.OperationName
		err = op.Err
	}
}

// endpointVariable names the variable that sets the endpoint of the innermost SDK
// call in err.
func endpointVariable(err error) string {
	service, _, ok := strings.Cut(operation(err, ":"), ":")
	if !ok {
		service = "ecr"
	}
	return "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_"))
}

func withoutQuery(raw string) string {
	raw, _, _ = strings.Cut(raw, "?")
	return raw
}

// withoutUser masks the user and password of each URL in a text.
func withoutUser(text string) string { return safetext.MaskUsers(text) }

// withoutUserOfHost does so of a host that may come with or without a scheme. A user
// without a password and a scheme stays.
func withoutUserOfHost(host string) string {
	if i := strings.LastIndexByte(host, '@'); i >= 0 && strings.Contains(host[:i], ":") {
		return "…" + host[i:]
	}
	return host
}

var accessKeyID = lazyregexp.New(`\b(AKIA|ASIA)[A-Z0-9]{8,}\b`)

// Redact returns the part of a text from AWS that may be shown: the first line, with
// access key IDs and the users of URLs masked, and at most 600 bytes.
// (The lines after the first of a SignatureDoesNotMatch repeat the request with
// its session token.)
func Redact(text string) string {
	const limit = 600
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = withoutUser(accessKeyID.ReplaceAllString(text, "$1…"))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return strings.TrimSpace(text)
}
