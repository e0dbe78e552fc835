package auth

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// AWS says how the AWS SDK is set up. The zero value is the SDK's own defaults.
type AWS struct {
	// HTTPClient sends the calls; nil is the SDK's client.
	HTTPClient aws.HTTPClient
	// LoadOptions are given to the SDK's config.LoadDefaultConfig after ours.
	LoadOptions []func(*config.LoadOptions) error
}

// Config loads the SDK's configuration for the region of r by the SDK's
// conventions (environment of the process, shared config files). It makes no
// call to the registry. Errors come from [Explain].
func (a AWS) Config(ctx context.Context, r Registry) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{config.WithRegion(r.Region)}
	if a.HTTPClient != nil {
		options = append(options, config.WithHTTPClient(a.HTTPClient))
	}
	cfg, err := config.LoadDefaultConfig(ctx, append(options, a.LoadOptions...)...)
	if err != nil {
		return aws.Config{}, Explain(r, err)
	}
	return cfg, nil
}

// NewClient makes a client of the ECR API for r. A FIPS or dual-stack host turns
// on the SDK's option of that name, unless the user has set an endpoint, which
// wins (the SDK refuses the two together).
func NewClient(cfg aws.Config, r Registry) *ecr.Client {
	return ecr.NewFromConfig(cfg, func(o *ecr.Options) {
		o.HTTPClient = wholeBody{o.HTTPClient}
		if o.BaseEndpoint != nil {
			return
		}
		if r.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if r.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	})
}
