package auth

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// maxCallTime bounds one try of a call to AWS with all of its answer, whoever sends it
// byte by byte. Layer parts are not sent with this client.
const maxCallTime = 6 * time.Minute

// AWS is how AWS is called. The zero value has the SDK's own defaults.
type AWS struct {
	// HTTPClient sends the calls; nil is the SDK's client, except that calls to this
	// machine stay on it and that each ends after six minutes.
	HTTPClient aws.HTTPClient
	// LoadOptions are given to the SDK's config.LoadDefaultConfig after ours.
	LoadOptions []func(*config.LoadOptions) error
	// Registries decides which identity is used for which host.
	Registries Registries
	// Env is the environment from which credential sources are determined; nil is the
	// process's own, which is also what the SDK reads, whatever Env is. A token of
	// another identity than that of Env is never cached as Env's.
	Env Environment
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (a AWS) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// Config returns the SDK's configuration for the region of r by the SDK's conventions
// (environment of the process, shared config files) and by the rule for its
// host. It makes no call. Its credentials are read again when a file with access keys has others. Errors come from
// [Explain].
func (a AWS) Config(ctx context.Context, r Registry) (aws.Config, error) {
	return a.config(ctx, r, func(ctx context.Context) (TokenPlan, error) { return a.Plan(ctx, r) })
}

// ConfigWithoutRegistry returns the SDK's configuration for calls that concern no
// registry, such as those to AWS KMS about a file. Its region is that of the environment
// or the profile, and may be "". Credentials are found, and waited for, as [AWS.Config]
// does. Errors come from [Explain].
func (a AWS) ConfigWithoutRegistry(ctx context.Context) (aws.Config, error) {
	return a.config(ctx, Registry{}, func(ctx context.Context) (TokenPlan, error) {
		plan, err := a.plan(ctx, Registry{}, func(context.Context, *TokenPlan, endpointSettings) error { return nil })
		return plan, Explain(Registry{}, err)
	})
}

// config sets up the SDK as planned, for calls about r.
func (a AWS) config(ctx context.Context, r Registry, planned func(context.Context) (TokenPlan, error)) (aws.Config, error) {
	plan, err := planned(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	cfg, _, err := a.configure(ctx, plan)
	if err != nil {
		return aws.Config{}, Explain(r, err)
	}
	cfg.Credentials = a.renewed(plan, planned, a.credentials(plan, cfg, 0))
	return cfg, nil
}

// credentials returns the provider of a plan's credentials over the SDK's in cfg.
func (a AWS) credentials(plan TokenPlan, cfg aws.Config, metadataTimeout time.Duration) *credentialProvider {
	return &credentialProvider{plan: plan, sdk: cfg.Credentials, metadataTimeout: metadataTimeout, now: a.now}
}

// configure sets up the SDK for a plan. drift reports that the SDK does it in
// another way than the plan's credential source.
func (a AWS) configure(ctx context.Context, p TokenPlan) (cfg aws.Config, drift bool, err error) {
	client := a.HTTPClient
	if client == nil {
		client = awshttp.NewBuildableClient().WithTimeout(maxCallTime).WithTransportOptions(calls.Connect)
	}
	options := []func(*config.LoadOptions) error{config.WithRegion(p.Registry.Region), config.WithHTTPClient(client),
		// The SDK has another client for the credentials of a container, which would ask a proxy.
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }),
		config.WithAssumeRoleCredentialOptions(p.stsEndpoint.role), config.WithWebIdentityRoleCredentialOptions(p.stsEndpoint.webIdentity),
		config.WithAPIOptions([]func(*middleware.Stack) error{awscalls.LimitAnswers, awscalls.NeedCredentials}),
		// Clients would write to stderr of answers that broke off, and of metadata services that refuse.
		config.WithLogger(logging.Nop{})}
	if p.profile != "" {
		options = append(options, config.WithSharedConfigProfile(p.profile))
	}
	if !filepath.IsAbs(Environment(nil).get(startup.HomeVariable)) {
		// The SDK may look for them in the working directory.
		configFiles, credentialsFiles := a.Env.sharedFiles(p.env)
		options = append(options, config.WithSharedConfigFiles(configFiles), config.WithSharedCredentialsFiles(credentialsFiles))
	}
	if err := files.CheckRegular(Environment(nil).get("AWS_CA_BUNDLE")); err != nil {
		return aws.Config{}, false, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	cfg, err = readByTheSDK("AWS config files", func() (aws.Config, error) {
		return config.LoadDefaultConfig(ctx, append(options, a.LoadOptions...)...)
	})
	if err != nil {
		return aws.Config{}, false, err
	}
	drift = a.drifted(p, cfg)
	if role := p.oidcRole(a.Env); role != "" && a.options().Credentials == nil {
		cfg.Credentials = a.oidcProvider(p, role, cfg)
	}
	if p.Rule.RoleARN != "" {
		client := sts.NewFromConfig(cfg, PreferEndpoint, func(o *sts.Options) {
			o.HTTPClient = awscalls.Use(mintPolicy(), awscalls.Options{
				Retryer: &o.Retryer, MaxAttempts: &o.RetryMaxAttempts, APIOptions: &o.APIOptions, Credentials: o.Credentials,
			}, o.HTTPClient.Do)
		})
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, p.Rule.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			if p.Rule.ExternalID != "" {
				o.ExternalID = &p.Rule.ExternalID
			}
		}))
	}
	if p.Endpoint.chosen {
		cfg.ConfigSources = slices.Insert(slices.Clone(cfg.ConfigSources), 0, any(chosenEndpoint(p.Endpoint.raw)))
	}
	return cfg, drift, nil
}

// drifted compares the credential source of a plan with what the SDK is about to do: with
// the credential source of the environment and the profile that the SDK has read, and with
// the SDK's own account of where it takes credentials from. They differ if a
// file was edited in between, if the process's environment is not a.Env, or if
// the SDK has learned of a source that we do not know.
func (a AWS) drifted(p TokenPlan, cfg aws.Config) bool {
	if a.options().Credentials != nil {
		return false
	}
	var env config.EnvConfig
	var shared config.SharedConfig
	for _, source := range cfg.ConfigSources {
		switch source := source.(type) {
		case config.EnvConfig:
			env = source
		case config.SharedConfig:
			shared = source
		}
	}
	overrides := endpointSettings{env: a.Env, sdk: env, shared: shared}.credentialEndpoints()
	seen, err := a.credentialSource(env, shared, p, false, overrides)
	if err != nil || seen.Digest() != p.Source.Digest() {
		return true
	}
	if p.oidcRole(a.Env) != "" {
		return false // the SDK does not know this source: we make its credentials
	}
	p.Rule = Rule{} // the role of a rule is not the SDK's
	seen, err = a.credentialSource(env, shared, p, false, overrides)
	cache, ok := cfg.Credentials.(*aws.CredentialsCache)
	return err != nil || !ok || !slices.Equal(cache.ProviderSources(), seen.ProviderSources())
}

// chosenEndpoint is the endpoint of the ECR APIs for one host among the sources of a
// configuration of the SDK. The clients of other services do not know it.
type chosenEndpoint string

// takeEndpoint sets the endpoint that was chosen for the host: the SDK itself would
// prefer the environment.
func takeEndpoint(cfg aws.Config, base **string) {
	for _, source := range cfg.ConfigSources {
		if e, ok := source.(chosenEndpoint); ok {
			*base = aws.String(string(e))
		}
	}
}

// NewClient makes a client of the ECR API for r. A FIPS or dual-stack host turns
// on the SDK's option of that name, unless the user has set an endpoint, which
// wins (the SDK refuses the two together). optFns come last. Calls are retried by the rule
// of all of ecrkit, not by the SDK's.
func NewClient(cfg aws.Config, r Registry, optFns ...func(*ecr.Options)) *ecr.Client {
	return newClient(cfg, r, retry.Default(), optFns...)
}

func newClient(cfg aws.Config, r Registry, policy retry.Policy, optFns ...func(*ecr.Options)) *ecr.Client {
	before := func(o *ecr.Options) {
		o.HTTPClient = wholeBody{o.HTTPClient}
		takeEndpoint(cfg, &o.BaseEndpoint)
		if r.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if r.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
		awscalls.PreferEndpoint(o.BaseEndpoint, &o.EndpointOptions.UseFIPSEndpoint, &o.EndpointOptions.UseDualStackEndpoint)
	}
	after := func(o *ecr.Options) {
		o.HTTPClient = awscalls.Use(policy, awscalls.Options{
			Retryer: &o.Retryer, MaxAttempts: &o.RetryMaxAttempts, APIOptions: &o.APIOptions, Credentials: o.Credentials,
		}, o.HTTPClient.Do)
	}
	return ecr.NewFromConfig(cfg, slices.Concat([]func(*ecr.Options){before}, optFns, []func(*ecr.Options){after})...)
}
