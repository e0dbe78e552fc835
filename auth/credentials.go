package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// credentialProvider obtains the credentials of a plan for whatever call needs them:
// those for a token, and those of all other clients made with [AWS.Config].
type credentialProvider struct {
	plan            TokenPlan
	sdk             aws.CredentialsProvider
	metadataTimeout time.Duration // 0 is the default
	now             func() time.Time

	mu     sync.Mutex
	failed error     // that there are none
	until  time.Time // how long that is remembered
}

// Retrieve returns the credentials. The error wraps [ErrNoCredentials] if there are
// none. An instance metadata service, which is silent on a machine outside of AWS, is
// waited for only so long and not asked again for a minute.
func (c *credentialProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.plan.Source.base != KindIMDS {
		return c.retrieve(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil && c.now().Before(c.until) {
		return aws.Credentials{}, c.failed
	}
	credentials, err := c.retrieve(ctx)
	if c.failed = nil; errors.Is(err, ErrNoCredentials) {
		c.failed, c.until = err, c.now().Add(metadataMemory)
	}
	return credentials, err
}

// ProviderSources is [aws.CredentialProviderSource].
func (c *credentialProvider) ProviderSources() []aws.CredentialSource {
	return c.plan.Source.ProviderSources()
}

func (c *credentialProvider) retrieve(ctx context.Context) (aws.Credentials, error) {
	caller := ctx
	if c.plan.Source.base == KindIMDS {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, orDefault(c.metadataTimeout, defaultMetadataTimeout), errUnanswered)
		defer cancel()
	}
	credentials, err := c.sdk.Retrieve(ctx)
	var api smithy.APIError
	var transport *url.Error
	var response *smithyhttp.ResponseError
	metadata := c.plan.Source.base == KindIMDS && strings.HasPrefix(operation(err, ":"), "ec2imds:")
	switch {
	case err == nil && credentials.HasKeys():
		return credentials, nil
	case err == nil: // the SDK takes an answer that lacks some of what was asked for
		err = fmt.Errorf("%w: the answer with the credentials has no %s", ErrNoCredentials, missingKey(credentials))
		credentials = aws.Credentials{}
	case errors.Is(context.Cause(ctx), errUnanswered):
		err = &metadataError{err: err}
	case caller.Err() != nil: // the caller has ended it
	case metadata && errors.As(err, &response):
		err = &metadataError{status: response.HTTPStatusCode(), err: err}
	case metadata && errors.As(err, &transport):
		err = &metadataError{err: err}
	case metadata && strings.Contains(err.Error(), disabledVariable): // the SDK has no type for it
		err = &metadataError{disabled: true, err: err}
	case c.plan.Source.base == KindIMDS && !errors.As(err, &api),
		!errors.As(err, &api) && !errors.As(err, &transport):
		err = fmt.Errorf("%w: %w", ErrNoCredentials, err)
	}
	if half := c.plan.half; half != nil && errors.Is(err, ErrNoCredentials) {
		err = &halfPairError{*half, err}
	}
	return credentials, c.plan.explain(err)
}

// missingKey names the half of a key pair that is missing.
func missingKey(credentials aws.Credentials) string {
	if credentials.AccessKeyID == "" {
		return "access key ID"
	}
	return "secret access key"
}

// errUnanswered ends the wait for the instance metadata service.
var errUnanswered = errors.New("no answer in time")

// metadataError reports that the instance metadata service has no credentials: it is
// silent, or answers with an HTTP status.
type metadataError struct {
	status   int  // 0 without an answer
	disabled bool // by the environment
	err      error
}

// disabledVariable keeps the SDK from asking the instance metadata service.
const disabledVariable = "AWS_EC2_METADATA_DISABLED"

func (e *metadataError) Error() string {
	const none = "no profile, no access key, and "
	if e.disabled {
		return fmt.Sprintf("%v: %s%s turns the instance metadata service off", ErrNoCredentials, none, disabledVariable)
	}
	switch e.status {
	case 0:
		return fmt.Sprintf("%v: %sno instance metadata service answers", ErrNoCredentials, none)
	case http.StatusNotFound:
		return fmt.Sprintf("%v: %sthe EC2 instance has no role", ErrNoCredentials, none)
	case http.StatusForbidden: // of a service that was disabled with modify-instance-metadata-options
		return fmt.Sprintf("%v: %sthe instance metadata service is disabled (HTTP 403)", ErrNoCredentials, none)
	}
	return fmt.Sprintf("%v: %sthe instance metadata service answers with HTTP %d", ErrNoCredentials, none, e.status)
}

func (e *metadataError) Unwrap() []error { return []error{ErrNoCredentials, e.err} }
