package awscalls

import (
	"context"
	"fmt"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
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
	// maxManifest is how many bytes one image may have in the answer of BatchGetImage: the 4 MiB of a manifest, each
	// byte of which JSON may write as an escape of six (\u0022).
	maxManifest = 6 * 4 << 20
	// maxManifests is how many bytes the manifests of one answer may have together, and as many as those of one image
	// with everything below it may have, with escapes.
	maxManifests = 192 << 20
)

// answerLimit returns how many bytes the answer to an operation may have that asks for this many images.
func answerLimit(service, op string, images int) int64 {
	switch {
	case service != "ECR" || op == "GetAuthorizationToken":
		return maxAnswer
	case op == "BatchGetImage": // which also has the names of the images
		return maxAnswer + min(int64(images)*maxManifest, maxManifests)
	}
	return maxPage
}

// LimitAnswers has the clients that are made with these API options of the SDK give up an answer that is too large: the
// SDK reads each into memory, whatever its size. The error names the service and the operation, and is final.
func LimitAnswers(stack *middleware.Stack) error {
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("EcrkitImages", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		if input, ok := in.Parameters.(*ecr.BatchGetImageInput); ok {
			ctx = middleware.WithStackValue(ctx, imagesKey{}, len(input.ImageIds))
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
	if err != nil {
		return err
	}
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("EcrkitAnswerSize", limitAnswer), middleware.After)
}

// imagesKey is the key of the number of images that a call asks for.
type imagesKey struct{}

func limitAnswer(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Response != nil && response.Body != nil {
		service, op := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		of := service + " to " + op
		if request, ok := in.Request.(*smithyhttp.Request); ok && service == "" { // metadata services
			of = request.URL.Host
		}
		images, _ := middleware.GetStackValue(ctx, imagesKey{}).(int)
		limit := answerLimit(service, op, images)
		response.Body = calls.LimitBody(response.Body, limit, retry.As(retry.Final, fmt.Errorf("the answer of %s is larger than %d MiB", of, limit>>20)))
	}
	return out, metadata, err
}
