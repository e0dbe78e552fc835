package auth

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
)

// Endpoint is where the API of a registry is called.
type Endpoint struct {
	URL string // without user and password
	// SetBy is what set it, "AWS_ENDPOINT_URL_ECR" or "endpoint of the rule"; "" if it
	// follows from the host.
	SetBy     string
	FIPS      bool
	DualStack bool

	raw string // the URL as it is called
}

// endpointSettings is the configuration of endpoints.
type endpointSettings struct {
	env    Environment
	sdk    config.EnvConfig
	shared config.SharedConfig
}

// configured finds the endpoint that is set for a service, in the order of the
// SDK; rule is the one of the configuration file's rule, which comes after the
// environment and before the AWS config file. service is the SDK's name in the
// form of the AWS config file, as "ecr_public".
func (s endpointSettings) configured(service, rule string) (url, setBy string) {
	if s.ignored() {
		return "", ""
	}
	const global = "AWS_ENDPOINT_URL"
	variable := global + "_" + strings.ToUpper(service)
	_, hasGlobal := s.env.lookup(global)
	switch {
	case s.env.get(variable) != "":
		return s.env.get(variable), variable
	case s.sdk.BaseEndpoint != "":
		return s.sdk.BaseEndpoint, global
	case rule != "":
		return rule, "endpoint of the rule"
	}
	_, hasVariable := s.env.lookup(variable)
	if value, ok := s.shared.Services.ServiceValues[service]["endpoint_url"]; ok && (!hasGlobal || hasVariable) {
		return value, "services in the AWS config file"
	}
	if s.shared.BaseEndpoint != "" {
		return s.shared.BaseEndpoint, "endpoint_url in the AWS config file"
	}
	return "", ""
}

// ignored reports whether configured endpoints are switched off.
func (s endpointSettings) ignored() bool {
	if s.sdk.IgnoreConfiguredEndpoints != nil {
		return *s.sdk.IgnoreConfiguredEndpoints
	}
	return s.shared.IgnoreConfiguredEndpoints != nil && *s.shared.IgnoreConfiguredEndpoints
}

// credentialEndpoints lists the endpoints that the calls for credentials go to
// if they are set: another STS has other principals.
func (s endpointSettings) credentialEndpoints() []string {
	var list []string
	for _, service := range []string{"sts", "sso", "sso_oidc", "signin"} {
		if url, _ := s.configured(service, ""); url != "" {
			list = append(list, service, url)
		}
	}
	return list
}

// api is the endpoint at which a registry's token is obtained: the one that is set,
// else that of the region, FIPS or dual-stack as the host is or the SDK is configured.
// ECR Public has no FIPS endpoint.
func (s endpointSettings) api(ctx context.Context, r Registry, rule string) (Endpoint, error) {
	fips, dualStack := s.sdk.UseFIPSEndpoint, s.sdk.UseDualStackEndpoint
	if fips == aws.FIPSEndpointStateUnset {
		fips = s.shared.UseFIPSEndpoint
	}
	if dualStack == aws.DualStackEndpointStateUnset {
		dualStack = s.shared.UseDualStackEndpoint
	}
	e := Endpoint{
		FIPS:      !r.Public && (r.FIPS || fips == aws.FIPSEndpointStateEnabled),
		DualStack: r.DualStack || dualStack == aws.DualStackEndpointStateEnabled,
	}
	service := "ecr"
	if r.Public {
		service = "ecr_public"
	}
	if e.raw, e.SetBy = s.configured(service, rule); e.raw != "" {
		e.FIPS, e.DualStack = false, false
		e.URL = withoutUser(e.raw)
		return e, nil
	}
	if r.Public {
		found, err := ecrpublic.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, ecrpublic.EndpointParameters{
			Region: &r.Region, UseFIPS: &e.FIPS, UseDualStack: &e.DualStack})
		e.raw = found.URI.String()
		e.URL = e.raw
		return e, err
	}
	found, err := ecr.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, ecr.EndpointParameters{
		Region: &r.Region, UseFIPS: &e.FIPS, UseDualStack: &e.DualStack})
	e.raw = found.URI.String()
	e.URL = e.raw
	return e, err
}
