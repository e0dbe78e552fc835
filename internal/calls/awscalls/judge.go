package awscalls

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Judge returns what the error of a call to AWS means for a caller with this context, and before which time the
// service wants no other call (the zero time if it did not say).
func Judge(ctx context.Context, err error) (v retry.Verdict, notBefore time.Time) {
	var (
		sending  *smithyhttp.RequestSendError
		garbled  *smithy.DeserializationError
		response *smithyhttp.ResponseError
	)
	switch {
	case err == nil || ctx.Err() != nil:
		return retry.Final, time.Time{}
	case errors.As(err, &sending):
		return retry.Judge(ctx, err)
	}
	cause := err
	if operation := (*smithy.OperationError)(nil); errors.As(err, &operation) { // what is around it says that its retries are over
		cause = operation.Err
	}
	if v, notBefore, ok := retry.Declared(cause); ok { // of the search for credentials
		return v, notBefore
	}
	if errors.As(err, &response) && response.Response != nil {
		notBefore = calls.RetryAfter(response.Response.Header, retry.ClockOf(ctx).Now())
	}
	switch {
	case isThrottle(err):
		return retry.Throttled, notBefore
	case errors.As(err, &garbled): // an answer that broke off or was damaged
		return retry.Transient, notBefore
	case sdkretry.IsErrorRetryables(transient).IsErrorRetryable(err) == aws.TrueTernary:
		return retry.Transient, notBefore
	}
	return retry.Final, time.Time{}
}

// transient are the SDK's checks for transient failures of a service, without those for throttling.
var transient = []sdkretry.IsErrorRetryable{
	sdkretry.NoRetryCanceledError{},
	sdkretry.RetryableConnectionError{},
	sdkretry.RetryableHTTPStatusCode{Codes: sdkretry.DefaultRetryableHTTPStatusCodes},
	sdkretry.RetryableErrorCode{Codes: sdkretry.DefaultRetryableErrorCodes},
}

// isThrottle reports whether a call was throttled. The SDK counts the code LimitExceededException too, but that of
// Amazon ECR is about how many layers or tags there may be.
func isThrottle(err error) bool {
	var (
		api      smithy.APIError
		response *smithyhttp.ResponseError
	)
	if errors.As(err, &api) {
		code := api.ErrorCode()
		if _, ok := sdkretry.DefaultThrottleErrorCodes[code]; ok && code != "LimitExceededException" {
			return true
		}
	}
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests
}

// isExpired reports whether a call was refused because its credentials have expired.
func isExpired(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return true
	}
	return false
}
