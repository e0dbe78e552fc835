package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// credentialProvider obtains the credentials of a plan for whatever call needs them:
// those for a token, and those of all other clients made with [AWS.Config].
type credentialProvider struct {
	plan            Plan
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
	switch {
	case err == nil:
		return credentials, nil
	case errors.Is(context.Cause(ctx), errUnanswered):
		err = &metadataError{err}
	case caller.Err() != nil: // the caller has ended it
	case c.plan.Source.base == KindIMDS && !errors.As(err, &api),
		!errors.As(err, &api) && !errors.As(err, &transport):
		err = fmt.Errorf("%w: %w", ErrNoCredentials, err)
	}
	if half := c.plan.half; half != nil && errors.Is(err, ErrNoCredentials) {
		err = &halfPairError{*half, err}
	}
	return credentials, c.plan.explain(err)
}

// errUnanswered ends the wait for the instance metadata service.
var errUnanswered = errors.New("no answer in time")

// metadataError reports that the instance metadata service is silent.
type metadataError struct{ err error }

func (e *metadataError) Error() string {
	return fmt.Sprintf("%v: no profile, no access key, and no instance metadata service answers", ErrNoCredentials)
}

func (e *metadataError) Unwrap() []error { return []error{ErrNoCredentials, e.err} }

// halfPair is an access key in the environment of which one half is missing. The SDK
// passes over it.
type halfPair struct{ set, missing string }

// half returns the half of an access key that the environment has, or nil.
func (env Environment) half() *halfPair {
	const id, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
	hasID, hasSecret := env.get(id, "AWS_ACCESS_KEY") != "", env.get(secret, "AWS_SECRET_KEY") != ""
	switch {
	case hasID && !hasSecret:
		return &halfPair{id, secret}
	case hasSecret && !hasID:
		return &halfPair{secret, id}
	}
	return nil
}

// halfPairError is a lack of credentials for want of half an access key.
type halfPairError struct {
	halfPair
	err error
}

func (e *halfPairError) Error() string {
	return fmt.Sprintf("%v: %s is set, and %s is not", ErrNoCredentials, e.set, e.missing)
}

func (e *halfPairError) Unwrap() error { return e.err }
