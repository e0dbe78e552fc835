package awscalls

import (
	"context"
	"fmt"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

const (
	// maxAnswer is how many bytes an answer with credentials, a token or a key may have: thousands are usual.
	maxAnswer = 1 << 20
	// maxPage is how many bytes a page of Amazon ECR may have. One of DescribeImages with 1,000 images and ten
	// tags of each has half a megabyte.
	maxPage = 64 << 20
	// maxManifests is how many bytes the answer of BatchGetImage may have: as many as the manifests of one image may
	// have together, with the escapes of JSON.
	maxManifests = 192 << 20
)

// answerLimit returns how many bytes the answer to an operation may have.
func answerLimit(service, op string) int64 {
	switch {
	case service != "ECR" || op == "GetAuthorizationToken":
		return maxAnswer
	case op == "BatchGetImage":
		return maxManifests
	}
	return maxPage
}

// LimitAnswers has the clients that are made with these API options of the SDK give up an answer that is too large: the
// SDK reads each into memory, whatever its size. The error names the service and the operation, and is final.
func LimitAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("EcrkitAnswerSize", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Response != nil && response.Body != nil {
			service, op := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
			of := service + " to " + op
			if request, ok := in.Request.(*smithyhttp.Request); ok && service == "" { // metadata services
				of = request.URL.Host
			}
			limit := answerLimit(service, op)
			response.Body = calls.LimitBody(response.Body, limit, retry.As(retry.Final, fmt.Errorf("the answer of %s is larger than %d MiB", of, limit>>20)))
		}
		return out, metadata, err
	}), middleware.After)
}
