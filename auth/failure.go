package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// transient reports whether a failure may end by itself, or with a new login of the
// user's: there is no sense in remembering it.
func transient(err error) bool {
	var (
		api       smithy.APIError
		response  *awshttp.ResponseError
		garbled   *smithy.DeserializationError
		login     *loginError
		transport *url.Error
		network   net.Error
	)
	switch {
	case errors.As(err, &login), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return true
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded",
			"ExpiredToken", "ExpiredTokenException", "RequestExpired":
			return true
		}
	case errors.As(err, &garbled):
		return true // from a proxy, or the login page of a network
	}
	if errors.As(err, &response) {
		status := response.HTTPStatusCode()
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	}
	return errors.As(err, &transport) || errors.As(err, &network)
}

// usableMeanwhile reports whether a token that is still valid may be used although
// it could not be renewed. It may unless AWS has refused to renew it, or the failure
// is of an unknown kind.
func usableMeanwhile(err error) bool { return transient(err) || errors.Is(err, ErrNoCredentials) }

// refused reports whether AWS has refused a call for what the identity may do: a
// token of that identity must no longer be used.
func refused(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && !transient(err)
}
