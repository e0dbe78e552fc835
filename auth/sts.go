package auth

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
)

// PreferEndpoint has a client of STS call the endpoint that is set, even if FIPS or dual-stack endpoints are asked
// for, as [NewClient] does for ECR.
func PreferEndpoint(o *sts.Options) {
	awscalls.PreferEndpoint(o.BaseEndpoint, &o.EndpointOptions.UseFIPSEndpoint, &o.EndpointOptions.UseDualStackEndpoint)
}

// stsEndpoint is the endpoint of STS that is set, or "". The SDK makes its own clients for the roles of profiles and of
// the environment before it reads AWS_ENDPOINT_URL.
type stsEndpoint string

func (e stsEndpoint) set(o *sts.Options) {
	if o.BaseEndpoint == nil && e != "" {
		o.BaseEndpoint = aws.String(string(e))
	}
	PreferEndpoint(o)
}

// role and webIdentity put the endpoint into the options of the SDK's own clients. The SDK first checks the options
// without a client.

func (e stsEndpoint) role(o *stscreds.AssumeRoleOptions) {
	if o.Client != nil {
		o.Client = roleClient{o.Client, e}
	}
}

func (e stsEndpoint) webIdentity(o *stscreds.WebIdentityRoleOptions) {
	if o.Client != nil {
		o.Client = webIdentityClient{o.Client, e}
	}
}

type roleClient struct {
	next     stscreds.AssumeRoleAPIClient
	endpoint stsEndpoint
}

func (c roleClient) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput, optFns ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	return c.next.AssumeRole(ctx, in, append(optFns, c.endpoint.set)...)
}

type webIdentityClient struct {
	next     stscreds.AssumeRoleWithWebIdentityAPIClient
	endpoint stsEndpoint
}

func (c webIdentityClient) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput, optFns ...func(*sts.Options)) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	return c.next.AssumeRoleWithWebIdentity(ctx, in, append(optFns, c.endpoint.set)...)
}
