package ecr

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/pace"
)

// ecrCalls has the SDK make its calls as a [caller] does: a middleware around each
// try decides what becomes of it, and the SDK's own loop sends the call again.
type ecrCalls struct {
	e           *Repository
	credentials credentialRenewal

	mu       sync.Mutex
	uploaded time.Time // when a layer was completed
}

// options are those of the ECR client.
func (a *ecrCalls) options(o *ecr.Options) {
	// AWS_MAX_ATTEMPTS is about failures: how often a call is refused as one too many
	// is up to what others call.
	if o.RetryMaxAttempts > 0 {
		a.e.patience.Tries = o.RetryMaxAttempts
		o.RetryMaxAttempts = 0
	}
	o.Retryer = tryRetryer{}
	o.Logger = logging.Nop{} // it would write to stderr of answers that broke off
	o.HTTPClient = calls.Watched(a.e.speed.timed(checkedAnswer(o.HTTPClient.Do)), a.e.waits)
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		if err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ECRCall", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			c := a.e.caller().NewCall(awsmiddleware.GetOperationName(ctx))
			return next.HandleInitialize(middleware.WithStackValue(ctx, callKey{}, c), in)
		}), middleware.Before); err != nil {
			return err
		}
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ECRCallTry", a.try), "Retry", middleware.After)
	})
}

type callKey struct{}

// try makes one try of a call. It comes before the signature, whose time is thus
// that of the request and not of the wait for it.
func (a *ecrCalls) try(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	c := middleware.GetStackValue(ctx, callKey{}).(*calls.Call)
	if err := c.Begin(ctx); err != nil {
		return out, metadata, &aws.RequestCanceledError{Err: err}
	}
	began := time.Now()
	out, metadata, err = next.HandleFinalize(ctx, in)
	if err == nil {
		if c.Op == "CompleteLayerUpload" {
			a.noteUpload()
		}
		c.End(calls.Accepted, time.Time{})
		return out, metadata, nil
	}
	again := c.End(a.judge(ctx, c.Op, err, began), quietUntil(err))
	return out, metadata, &tryError{error: err, call: c, again: again && ctx.Err() == nil}
}

// judge says what an error means.
func (a *ecrCalls) judge(ctx context.Context, op string, err error, began time.Time) calls.Verdict {
	var (
		api     smithy.APIError
		missing *types.LayersNotFoundException
		garbled *smithy.DeserializationError
		sending *smithyhttp.RequestSendError
	)
	switch {
	case ctx.Err() != nil:
		return calls.Accepted
	case errors.As(err, &sending):
		return calls.JudgeFailure(err)
	case isThrottle(err):
		return calls.Throttled
	case errors.As(err, &missing) && op == "PutImage" && a.justUploaded():
		return calls.Lagging
	case errors.As(err, &api) && isExpired(api.ErrorCode()):
		if a.credentials.renew(ctx, began) {
			return calls.Renewed
		}
		return calls.Accepted
	case errors.As(err, &garbled):
		return calls.Failed // an answer that broke off or was damaged
	case retry.IsErrorRetryables(passing).IsErrorRetryable(err) == aws.TrueTernary:
		return calls.Failed
	}
	return calls.Accepted
}

// passing are the checks of the SDK for what another try may mend, without those
// for throttling.
var passing = []retry.IsErrorRetryable{
	retry.NoRetryCanceledError{},
	retry.RetryableConnectionError{},
	retry.RetryableHTTPStatusCode{Codes: retry.DefaultRetryableHTTPStatusCodes},
	retry.RetryableErrorCode{Codes: retry.DefaultRetryableErrorCodes},
}

// isThrottle tells whether a call was refused as one too many. The SDK counts the
// code LimitExceededException too, but that of ECR is about how many layers or
// tags there may be.
func isThrottle(err error) bool {
	var (
		api      smithy.APIError
		response *awshttp.ResponseError
	)
	if errors.As(err, &api) {
		code := api.ErrorCode()
		if _, ok := retry.DefaultThrottleErrorCodes[code]; ok && code != "LimitExceededException" {
			return true
		}
	}
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests
}

func isExpired(code string) bool {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return true
	}
	return false
}

// quietUntil is until when the answer that made err wants no other call.
func quietUntil(err error) time.Time {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return time.Time{}
	}
	return pace.RetryAfter(response.Response.Header, time.Now())
}

// lagTime is how long after a layer was completed a manifest may be refused for
// lack of it.
const lagTime = 30 * time.Second

func (a *ecrCalls) noteUpload() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uploaded = time.Now()
}

func (a *ecrCalls) justUploaded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.uploaded) < lagTime
}

// tryError is the error of one try, and whether there is to be another.
type tryError struct {
	error
	call  *calls.Call
	again bool
}

func (e *tryError) Unwrap() error { return e.error }

// tryRetryer has the SDK send a call again if its last try says so. The wait is
// the next try's.
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
	// The SDK marks an error that comes of this machine's clock, after it has set
	// its own right.
	var skew interface{ RetryableError() bool }
	return errors.As(err, &skew) && skew.RetryableError() && try.call.End(calls.Renewed, time.Time{})
}

func (tryRetryer) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

// credentialRenewal gets new AWS credentials when those in use have ended before
// their time: the cache of the SDK goes by this machine's clock.
type credentialRenewal struct {
	provider aws.CredentialsProvider

	mu sync.Mutex
	at time.Time
}

// renew tells whether there are other credentials now than at the time when a
// call began, which were refused as ended.
func (r *credentialRenewal) renew(ctx context.Context, began time.Time) bool {
	cache, ok := r.provider.(*aws.CredentialsCache)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.After(began) {
		return true
	}
	old, err := cache.Retrieve(ctx)
	if err != nil {
		return false
	}
	cache.Invalidate()
	now, err := cache.Retrieve(ctx)
	if err != nil || now.SessionToken == old.SessionToken {
		return false
	}
	r.at = time.Now()
	return true
}
