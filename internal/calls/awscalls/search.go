package awscalls

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdkretry "github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// NewSearchRetryer returns the retryer for the calls by which the SDK searches credentials: its own, except that an
// error that declares what it means (see [retry.Judge]) is left to the caller of the search. The SDK would wait for
// seconds between two tries to reach a host that does not exist.
func NewSearchRetryer() aws.Retryer {
	return sdkretry.NewStandard(func(o *sdkretry.StandardOptions) {
		declared := sdkretry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if _, _, ok := retry.Declared(err); ok {
				return aws.FalseTernary
			}
			return aws.UnknownTernary
		})
		o.Retryables = append([]sdkretry.IsErrorRetryable{declared}, o.Retryables...)
	})
}
