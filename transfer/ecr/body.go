package ecr

import (
	"context"
	"fmt"
	"io"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// signedBody is the body of a request that is made while it is sent, for each try.
type signedBody interface {
	io.ReadSeeker
	// SHA256 returns the hash of the body in hexadecimal, which its signature is over.
	SHA256() (string, error)
}

// withBody replaces the body that the generated client has made. It is hashed for
// the signature once, and not, as the client does it, for each try: that would read
// its end, which a part has to hold back, and wait before anything is sent.
func withBody(name string, body signedBody) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Serialize.Insert(middleware.SerializeMiddlewareFunc(name, func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected request %T", in.Request)
			}
			request, err := request.SetStream(body)
			if err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, err
			}
			in.Request = request
			hash, err := body.SHA256()
			if err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleSerialize(v4.SetPayloadHash(ctx, hash), in)
		}), "OperationSerializer", middleware.After)
	}
}
