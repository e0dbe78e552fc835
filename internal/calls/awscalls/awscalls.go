// Package awscalls has the clients of the AWS SDK make their calls by the rules of package calls: a middleware around
// each try decides what becomes of it, in the place of the SDK's own retryer.
package awscalls

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Client makes the calls of one client of an AWS service.
type Client struct {
	// Caller returns what the calls are made with.
	Caller func() calls.Caller
	// Credentials are those of the client. They are renewed when a call is refused because they have expired.
	Credentials aws.CredentialsProvider
	// Lags reports whether an operation was refused because one part of the service does not know yet what another
	// has just stored; nil is never.
	Lags func(op string, err error) bool
	// Done is called after an operation succeeded; nil is nothing.
	Done func(op string)

	renewal renewal
}

// Configure puts the client into the options of a service: their retryer and their middleware. AWS_MAX_ATTEMPTS,
// which the SDK has in maxAttempts, is about transient failures: how often a call is throttled is up to what others
// call. Configure returns it, 0 if it is not set.
func (c *Client) Configure(retryer *aws.Retryer, maxAttempts *int, options *[]func(*middleware.Stack) error) (tries int) {
	tries, *maxAttempts = max(*maxAttempts, 0), 0
	*retryer = tryRetryer{}
	*options = append(*options, c.middleware)
	return tries
}

func (c *Client) middleware(stack *middleware.Stack) error {
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("EcrkitCall", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		call := c.Caller().NewCall(awsmiddleware.GetOperationName(ctx))
		return next.HandleInitialize(middleware.WithStackValue(ctx, callKey{}, call), in)
	}), middleware.Before)
	if err != nil {
		return err
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("EcrkitTry", c.try), "Retry", middleware.After)
}

type callKey struct{}

// try makes one try of a call. It comes before the signature, whose time is thus that of the request and not of the
// wait for it.
func (c *Client) try(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	call := middleware.GetStackValue(ctx, callKey{}).(*calls.Call)
	sending, err := call.Begin(ctx)
	if err != nil && ctx.Err() == nil {
		return out, metadata, err
	}
	if err != nil {
		return out, metadata, &aws.RequestCanceledError{Err: err}
	}
	began := time.Now()
	out, metadata, err = next.HandleFinalize(sending, in)
	if err == nil {
		if c.Done != nil {
			c.Done(call.Op)
		}
		call.End(ctx, retry.Final, time.Time{})
		return out, metadata, nil
	}
	v, notBefore := c.judge(ctx, call.Op, err, began)
	noteEarlier(ctx, v)
	return out, metadata, &tryError{error: err, ctx: ctx, call: call, again: call.End(ctx, v, notBefore)}
}

func (c *Client) judge(ctx context.Context, op string, err error, began time.Time) (retry.Verdict, time.Time) {
	switch {
	case ctx.Err() != nil:
	case c.Lags != nil && c.Lags(op, err):
		return retry.Lagging, time.Time{}
	case isExpired(err) && c.renewal.renew(ctx, c.Credentials, began):
		return retry.Renewed, time.Time{}
	}
	return Judge(ctx, err)
}

// tryError is the error of one try, and whether there is to be another.
type tryError struct {
	error
	ctx   context.Context
	call  *calls.Call
	again bool
}

func (e *tryError) Unwrap() error { return e.error }

// tryRetryer has the SDK send a call again if its last try says so. The wait is the next try's.
type tryRetryer struct{ aws.NopRetryer }

func (tryRetryer) MaxAttempts() int { return 0 } // the call itself has an end

func (tryRetryer) IsErrorRetryable(err error) bool {
	var try *tryError
	if !errors.As(err, &try) {
		return false
	}
	if try.again {
		return true
	}
	// The SDK marks an error that comes of this machine's clock, after it has set its own right.
	var skew interface{ RetryableError() bool }
	return errors.As(err, &skew) && skew.RetryableError() && try.call.End(try.ctx, retry.Renewed, time.Time{})
}

func (tryRetryer) RetryDelay(int, error) (time.Duration, error) { return 0, nil }
