package auth

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// resolver finds the credential source that config.LoadDefaultConfig follows. The order of the
// cases is that of resolveCredentialChain in the SDK's config package.
type resolver struct {
	env       Environment
	sdk       config.EnvConfig
	now       func() time.Time
	explicit  bool     // the profile was chosen by a rule or by a program: it wins over the environment
	overrides []string // endpoints of STS and SSO that the configuration sets

	files []string  // that were read
	until time.Time // the credential source ends then; zero is never
}

func (c *resolver) credentialSource(shared config.SharedConfig) (CredentialSource, error) {
	switch {
	case c.explicit:
	case c.sdk.Credentials.HasKeys():
		return static(aws.CredentialSourceEnvVars, c.sdk.Credentials, "access key in the environment"), nil
	case c.sdk.WebIdentityTokenFilePath != "":
		return c.webIdentity(aws.CredentialSourceEnvVarsSTSWebIDToken, c.sdk.WebIdentityTokenFilePath, c.sdk.RoleARN, c.sdk.RoleSessionName)
	}
	r, err := c.fromProfile(&shared)
	r.Profile = shared.Profile
	return r, err
}

func (c *resolver) fromProfile(p *config.SharedConfig) (r CredentialSource, err error) {
	switch {
	case p.Source != nil:
		r, err = c.fromProfile(p.Source)
		r.sources = slices.Insert(r.sources, 0, aws.CredentialSourceProfileSourceProfile)
	case p.Credentials.HasKeys():
		r = static(aws.CredentialSourceProfile, p.Credentials, "access key of profile "+p.Profile)
	case p.CredentialSource != "":
		r, err = c.namedSource(p.CredentialSource)
		r.sources = slices.Insert(r.sources, 0, aws.CredentialSourceProfileNamedProvider)
	case p.WebIdentityTokenFile != "":
		// No role is assumed on top: role_arn is the role of the web identity.
		return c.webIdentity(aws.CredentialSourceProfileSTSWebIDToken, p.WebIdentityTokenFile, p.RoleARN, p.RoleSessionName)
	case p.SSOSessionName != "" || hasLegacySSO(p):
		r, err = c.sso(p)
	case p.LoginSession != "":
		r, err = c.login(p.LoginSession)
	case p.CredentialProcess != "":
		r = unstable(KindProcess, "credential_process of profile "+p.Profile, p.CredentialProcess)
		r.sources = []aws.CredentialSource{aws.CredentialSourceProfileProcess, aws.CredentialSourceProcess}
	case c.sdk.ContainerCredentialsRelativePath != "":
		r = c.task()
	case c.sdk.ContainerCredentialsEndpoint != "":
		r, err = c.endpoint()
	default:
		r = c.imds()
	}
	if err == nil && p.RoleARN != "" {
		r = assumeRole(r, p.RoleARN, p.ExternalID, p.RoleSessionName, p.MFASerial, c.overrides)
	}
	return r, err
}

// namedSource is credential_source of a profile.
func (c *resolver) namedSource(name string) (CredentialSource, error) {
	switch name {
	case "Environment":
		r := static(aws.CredentialSourceHTTP, c.sdk.Credentials, "access key in the environment")
		if !c.sdk.Credentials.HasKeys() {
			return r, fmt.Errorf("%w: credential_source = Environment, and AWS_ACCESS_KEY_ID is not set", ErrNoCredentials)
		}
		return r, nil
	case "Ec2InstanceMetadata":
		return c.imds(), nil
	case "EcsContainer":
		switch {
		case c.sdk.ContainerCredentialsRelativePath != "":
			return c.task(), nil
		case c.sdk.ContainerCredentialsEndpoint != "":
			return c.endpoint()
		}
		return CredentialSource{}, fmt.Errorf("%w: credential_source = EcsContainer outside of a container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor …_FULL_URI is set", ErrNoCredentials)
	}
	return CredentialSource{}, fmt.Errorf("credential_source %q is not one of Environment, Ec2InstanceMetadata, EcsContainer", name)
}
