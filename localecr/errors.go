package localecr

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
	"github.com/ecrkit/ecrkit/localecr/internal/sigv4"
)

// Codes of errors that every AWS service has and no SDK module lists.
const (
	codeAccessDenied       = "AccessDeniedException"
	codeExpiredToken       = "ExpiredTokenException"
	codeIncomplete         = "IncompleteSignature"
	codeInvalidSignature   = "InvalidSignatureException"
	codeMissingToken       = "MissingAuthenticationTokenException"
	codeSerialization      = "SerializationException"
	codeThrottling         = "ThrottlingException"
	codeUnknownOperation   = "UnknownOperationException"
	codeUnrecognizedClient = "UnrecognizedClientException"
)

func commonError(code, format string, args ...any) error {
	return &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

func throttled() error { return commonError(codeThrottling, "Rate exceeded") }

func (x *exchange) accessDenied(action, resource string) error {
	return x.notAuthorized(action, resource, "because no resource-based policy allows the "+action+" action")
}

func (x *exchange) notAuthorized(action, resource, reason string) error {
	return commonError(codeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s %s", x.principal.ARN, action, resource, reason)
}

// asAPIError converts any error to the code and message of an AWS error. What is nobody's fault but the
// server's says nothing of its cause.
func asAPIError(err error) smithy.APIError {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api
	}
	for _, known := range []struct {
		kind error
		code string
	}{
		{sigv4.ErrMissingAuthentication, codeMissingToken},
		{sigv4.ErrIncomplete, codeIncomplete},
		{sigv4.ErrSignatureMismatch, codeInvalidSignature},
		{sigv4.ErrTimeSkew, codeInvalidSignature},
		{identity.ErrExpiredToken, codeExpiredToken},
	} {
		if errors.Is(err, known.kind) {
			return &smithy.GenericAPIError{Code: known.code, Message: err.Error(), Fault: smithy.FaultClient}
		}
	}
	if errors.Is(err, identity.ErrUnknownKey) || errors.Is(err, identity.ErrInvalidToken) {
		return &smithy.GenericAPIError{Code: codeUnrecognizedClient, Message: "The security token included in the request is invalid.", Fault: smithy.FaultClient}
	}
	return &types.ServerException{Message: aws.String("The local ECR failed; its log says why.")}
}

// scriptedError is the answer of a fault with a status.
type scriptedError struct{ fault *Fault }

func (e *scriptedError) Error() string        { return e.ErrorCode() + ": " + e.ErrorMessage() }
func (e *scriptedError) ErrorMessage() string { return e.fault.Message }

func (e *scriptedError) ErrorCode() string {
	switch {
	case e.fault.Code != "":
		return e.fault.Code
	case e.fault.Status == http.StatusTooManyRequests:
		return codeThrottling
	default:
		return "ServerException"
	}
}

func (e *scriptedError) ErrorFault() smithy.ErrorFault {
	if e.fault.Status < 500 {
		return smithy.FaultClient
	}
	return smithy.FaultServer
}
