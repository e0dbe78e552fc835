package awscalls

import "github.com/aws/aws-sdk-go-v2/aws"

// PreferEndpoint turns FIPS and dual-stack endpoints off in the options of a service if an endpoint is set: the SDK
// refuses the two together.
func PreferEndpoint(endpoint *string, fips *aws.FIPSEndpointState, dualStack *aws.DualStackEndpointState) {
	if endpoint != nil {
		*fips, *dualStack = aws.FIPSEndpointStateDisabled, aws.DualStackEndpointStateDisabled
	}
}
