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

// passing reports whether a failure may pass by itself, or with a new login of
// the user's, so that a token which is still valid may be used in the meantime.
// What AWS refuses is no such failure, and neither is anything unknown.
func passing(err error) bool {
	var (
		api       smithy.APIError
		response  *awshttp.ResponseError
		login     *loginError
		transport *url.Error
		network   net.Error
	)
	switch {
	case errors.As(err, &login), errors.Is(err, context.DeadlineExceeded):
		return true
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded",
			"ExpiredToken", "ExpiredTokenException", "RequestExpired":
			return true
		}
	}
	if errors.As(err, &response) {
		status := response.HTTPStatusCode()
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	}
	return errors.As(err, &transport) || errors.As(err, &network)
}
