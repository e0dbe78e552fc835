package auth

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"

	"github.com/ecrkit/ecrkit/internal/ecrhost"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// Endpoint is where the API of a registry is called.
type Endpoint struct {
	URL string // without user and password
	// SetBy is what set it, "AWS_ENDPOINT_URL_ECR" or "endpoint of the rule"; "" if it
	// follows from the host.
	SetBy string
	// Elsewhere reports that a setting of AWS sends the calls for the host to a place
	// that belongs neither to its partition and region nor to the host itself.
	Elsewhere bool
	FIPS      bool
	DualStack bool

	raw    string // the URL as it is called
	chosen bool   // for this host, whatever the settings of AWS say
}

// endpointSettings is the configuration of endpoints.
type endpointSettings struct {
	env    Environment
	sdk    config.EnvConfig
	shared config.SharedConfig
}

// configured finds the endpoint that is set for a service, in the order of the
// SDK. service is the SDK's name in the form of the AWS config file, as "ecr_public".
func (s endpointSettings) configured(service string) (url, setBy string) {
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
		if url, _ := s.configured(service); url != "" {
			list = append(list, service, url)
		}
	}
	return list
}

// api is the endpoint of a registry's API. What was said of this host comes first: the
// endpoint of its rule, then, of a host on this machine, the host itself. Then comes
// what is set for all hosts, and last that of the region, FIPS or dual-stack as the host
// is or the SDK is configured. ECR Public has no FIPS endpoint.
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
	switch {
	case rule != "":
		e.raw, e.SetBy, e.chosen = rule, "endpoint of the rule", true
	case loopback.Is(r.Host):
		e.raw, e.SetBy, e.chosen = r.Scheme()+"://"+r.Host, "the host", true
	default:
		e.raw, e.SetBy = s.configured(service)
	}
	if e.raw != "" {
		e.FIPS, e.DualStack = false, false
		e.URL = withoutUser(e.raw)
		e.Elsewhere = !e.chosen && isElsewhere(e.raw, r)
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

// isElsewhere reports whether an endpoint belongs neither to the partition and region of
// r nor to its host: requests about r would be answered by another registry.
func isElsewhere(endpoint string, r Registry) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false // the call fails
	}
	if strings.EqualFold(u.Host, r.Host) {
		return false
	}
	p := ecrhost.PartitionOf(r.Region)
	host := strings.ToLower(u.Hostname())
	for _, suffix := range []string{p.Suffix, "api." + strings.TrimPrefix(p.DualStack, "on.")} {
		if strings.HasSuffix(host, "."+suffix) && strings.Contains(host, "."+r.Region+".") {
			return false
		}
	}
	return true
}
