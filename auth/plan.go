package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// TokenPlan is how a token for a registry would be obtained: where, with which identity,
// and under which key it is cached. It is made without any network.
type TokenPlan struct {
	Registry Registry
	// Rule is the rule of the configuration for the host, RuleIndex its place,
	// counted from 0; -1 without one.
	Rule      Rule
	RuleIndex int
	// Overridden names the environment variable that wins over Rule.Profile, or is "".
	Overridden string
	Source     CredentialSource
	Endpoint   Endpoint
	// Files are those that the plan was made from, whether they exist or not.
	// While they, the environment and the rules are the same, so is the plan,
	// until Until; the zero time is no end.
	Files []string
	Until time.Time

	profile string           // the explicit one, given to the SDK
	env     config.EnvConfig // what the environment says to the SDK
	half    *halfPair        // of an access key in the environment

	stsEndpoint stsEndpoint
}

// Key is where the token is kept. If the credential source is not stable it is one session
// of the credential source, identified by its access key ID.
func (p TokenPlan) Key() tokenstore.Key {
	service := "ecr"
	if p.Registry.Public {
		service = "ecr-public"
	}
	return tokenstore.Key{Source: tokenfile.Digest("ecrkit credential source", tokenfile.KeyVersion, service, p.Registry.Partition,
		p.Registry.Region, p.Endpoint.raw, strconv.FormatBool(p.Endpoint.FIPS), p.Source.Digest())}
}

// sessionKey is the key of the session that credentials belong to.
func (p TokenPlan) sessionKey(credentials aws.Credentials) tokenstore.Key {
	key := p.Key()
	key.Session = tokenfile.Digest("ecrkit session", key.Source, credentials.AccessKeyID)
	return key
}

// Plan returns how the token for r would be obtained. If no credentials can be had
// the error wraps [ErrNoCredentials] and the plan is as complete as it can be.
// Errors come from [Explain].
func (a AWS) Plan(ctx context.Context, r Registry) (TokenPlan, error) {
	p, err := a.plan(ctx, r, func(ctx context.Context, p *TokenPlan, settings endpointSettings) (err error) {
		p.Endpoint, err = settings.api(ctx, r, p.Rule.Endpoint)
		return err
	})
	return p, Explain(r, err)
}

// plan makes a plan, whose endpoint is found by endpoint.
func (a AWS) plan(ctx context.Context, r Registry, endpoint func(context.Context, *TokenPlan, endpointSettings) error) (TokenPlan, error) {
	p := TokenPlan{Registry: r}
	p.Rule, p.RuleIndex = a.Registries.Rule(r.Host)
	env, err := a.Env.sdk()
	if err != nil {
		return p, err
	}
	p.env, p.half = env, a.Env.half()
	if p.oidcRole(a.Env) != "" {
		p.half = nil // nothing is missing
	}
	options := a.options()
	p.profile = options.SharedConfigProfile
	if p.Rule.Profile != "" && p.profile == "" {
		if p.Overridden = a.Env.identity(); p.Rule.IgnoreEnvironment {
			p.Overridden = ""
		}
		if p.Overridden == "" {
			p.profile = p.Rule.Profile
		}
	}
	shared, read, sharedErr := a.sharedConfig(ctx, env, p.profile, options)
	settings := endpointSettings{env: a.Env, sdk: env, shared: shared}
	if err := endpoint(ctx, &p, settings); err != nil {
		return p, err
	}
	sts, _ := settings.configured("sts")
	p.stsEndpoint = stsEndpoint(sts)
	p.Source, err = a.credentialSource(env, shared, p, options.Credentials != nil, settings.credentialEndpoints())
	p.Files = append(read, p.Source.files...)
	p.Until = p.Source.until
	if sharedErr != nil {
		err = sharedErr
	}
	return p, err
}

// credentialSource is what the SDK would use, and what a rule puts on top of it.
func (a AWS) credentialSource(env config.EnvConfig, shared config.SharedConfig, p TokenPlan, provided bool, overrides []string) (r CredentialSource, err error) {
	switch {
	case provided:
		r = unstable(KindProvided, "credentials given by the program")
	default:
		c := resolver{env: a.Env, sdk: env, now: a.now, explicit: p.profile != "", overrides: overrides}
		if role := p.oidcRole(a.Env); role != "" {
			r, err = c.oidc(role)
		} else {
			r, err = c.credentialSource(shared)
		}
		r.files, r.until = c.files, c.until
	}
	if p.Rule.RoleARN != "" {
		r = assumeRole(r, p.Rule.RoleARN, p.Rule.ExternalID, "", "", overrides)
	}
	if p.Rule.CacheIdentity != "" && !r.Stable {
		r.material = append(slices.Clone(r.material), "cache_identity", p.Rule.CacheIdentity)
		r.Stable = true
	}
	return r, err
}

// options are those that the program passes to the SDK.
func (a AWS) options() config.LoadOptions {
	var options config.LoadOptions
	for _, option := range a.LoadOptions {
		// An error comes again, and is reported, as the SDK is set up.
		_ = option(&options)
	}
	return options
}

// sharedConfig reads the profile as config.LoadDefaultConfig does: one that was
// chosen has to exist, the default profile need not. It also returns the files.
func (a AWS) sharedConfig(ctx context.Context, env config.EnvConfig, profile string, options config.LoadOptions) (config.SharedConfig, []string, error) {
	chosen := profile != "" || a.Env.get("AWS_PROFILE") != ""
	if profile == "" {
		profile = env.SharedConfigProfile
	}
	if profile == "" {
		profile = config.DefaultSharedConfigProfile
	}
	configFiles, credentialsFiles := a.Env.sharedFiles(env)
	if options.SharedConfigFiles != nil {
		configFiles = options.SharedConfigFiles
	}
	if options.SharedCredentialsFiles != nil {
		credentialsFiles = options.SharedCredentialsFiles
	}
	all := slices.Concat(configFiles, credentialsFiles)
	for _, path := range all {
		// The files are read more than once, by the SDK too, which would wait for a pipe.
		if err := files.CheckRegular(path); err != nil {
			return config.SharedConfig{}, all, fmt.Errorf("AWS config files: %w", err)
		}
	}
	shared, err := readByTheSDK("AWS config files "+strings.Join(all, ", "), func() (config.SharedConfig, error) {
		return config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
			o.ConfigFiles, o.CredentialsFiles = configFiles, credentialsFiles
		})
	})
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) && !chosen {
		return config.SharedConfig{}, all, nil
	}
	if errors.As(err, &missing) {
		err = fmt.Errorf("%w: %w", ErrNoCredentials, err)
	} else if err != nil {
		if half := halfOfProfile(err, all); half != nil {
			err = &halfPairError{*half, fmt.Errorf("%w: %w", ErrNoCredentials, err)}
		}
	}
	if err == nil {
		err = files.CheckRegular(shared.CustomCABundle)
	}
	return shared, all, err
}

// Calls lists the calls that Token would make, in their order; cached reports that
// a token is kept.
func (p TokenPlan) Calls(cached bool) []string {
	calls := []string{}
	if !cached || !p.Source.Stable {
		switch p.Source.base {
		case KindSSO:
			calls = append(calls, "sso:GetRoleCredentials")
		case KindLogin:
			calls = append(calls, "the token of aws login, if it has to be renewed")
		case KindWebIdentity:
			calls = append(calls, "sts:AssumeRoleWithWebIdentity")
		case KindIMDS:
			calls = append(calls, "the instance metadata service")
		case KindECS, KindPodIdentity, KindHTTP:
			calls = append(calls, "the credentials endpoint of the container")
		case KindProcess:
			calls = append(calls, "the credential_process")
		}
		for _, role := range p.Source.roles {
			calls = append(calls, "sts:AssumeRole of "+role)
		}
	}
	switch {
	case cached:
	case p.Registry.Public:
		calls = append(calls, "ecr-public:GetAuthorizationToken")
	default:
		calls = append(calls, "ecr:GetAuthorizationToken")
	}
	return calls
}
