package auth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// SourceKind is the way in which AWS credentials are obtained.
type SourceKind string

// The kinds of credential source.
const (
	KindStatic      SourceKind = "static"       // access key in the environment or in a file
	KindAssumeRole  SourceKind = "assume-role"  // role_arn over another credential source
	KindWebIdentity SourceKind = "web-identity" // a token file and a role: IRSA, GitHub, …
	KindSSO         SourceKind = "sso"          // IAM Identity Center
	KindLogin       SourceKind = "login"        // aws login
	KindECS         SourceKind = "ecs"          // the role of an ECS task
	KindPodIdentity SourceKind = "pod-identity" // EKS Pod Identity
	KindHTTP        SourceKind = "http"         // another credentials endpoint
	KindIMDS        SourceKind = "imds"         // the role of an EC2 instance
	KindProcess     SourceKind = "process"      // credential_process
	KindProvided    SourceKind = "provided"     // credentials that a Go program gave
)

// CredentialSource describes how the AWS SDK would obtain credentials,
// determined from the environment and from files alone. Two sources with the same [CredentialSource.Digest]
// lead to credentials of the same IAM principal if they are Stable.
type CredentialSource struct {
	Kind SourceKind
	// Stable reports that the principal cannot change while the credential source is the same.
	// If it is not, credentials have to be obtained to know whose they are.
	Stable bool
	// Profile is the profile of the AWS config files that decides, or "".
	Profile string
	// Steps describes the credential source for people, from the first credentials to the last.
	Steps []string

	// sources are the SDK's own names of the steps, without that of a role
	// assumed last.
	sources []aws.CredentialSource
	// material is all that bears on the principal, in an order that is fixed.
	material []string
	// roles are those that are assumed one after the other.
	roles []string
	// base is the kind of the first credentials: roles are assumed with these.
	base SourceKind
	// files and until are what Plan has: the files that were read.
	files []string
	until time.Time
}

// Digest is the SHA-256, in hexadecimal, of all that bears on the principal.
func (r CredentialSource) Digest() string { return tokenfile.Digest(r.material...) }

// ProviderSources is what [aws.CredentialsCache.ProviderSources] of the SDK's credentials
// has to be for this credential source.
func (r CredentialSource) ProviderSources() []aws.CredentialSource {
	if r.Kind == KindAssumeRole {
		return append(slices.Clone(r.sources), aws.CredentialSourceSTSAssumeRole)
	}
	return r.sources
}

// ErrNoCredentials reports that there is nothing from which AWS credentials could be
// obtained: a profile that does not exist, an SSO session that was logged out, a
// web identity token that has expired.
var ErrNoCredentials = errors.New("no AWS credentials")

func static(source aws.CredentialSource, keys aws.Credentials, step string) CredentialSource {
	return CredentialSource{Kind: KindStatic, base: KindStatic, Stable: true, sources: []aws.CredentialSource{source},
		Steps: []string{step}, material: []string{"static", keys.AccessKeyID}}
}

func unstable(kind SourceKind, step string, material ...string) CredentialSource {
	return CredentialSource{Kind: kind, base: kind, Steps: []string{step}, material: append([]string{string(kind)}, material...)}
}

func assumeRole(r CredentialSource, arn, externalID, sessionName, mfaSerial string, overrides []string) CredentialSource {
	r.Kind = KindAssumeRole
	r.Steps = append(r.Steps, "assume "+arn)
	r.roles = append(r.roles, arn)
	r.material = append([]string{"assume-role", arn, externalID, sessionName, mfaSerial, r.Digest()}, overrides...)
	return r
}

// task is the role of an ECS task: the path is of this task alone.
func (c *resolver) task() CredentialSource {
	path := c.sdk.ContainerCredentialsRelativePath
	return CredentialSource{Kind: KindECS, base: KindECS, Stable: true, sources: []aws.CredentialSource{aws.CredentialSourceHTTP},
		Steps: []string{"role of the ECS task"}, material: []string{"ecs", path}}
}

// endpoint is a credentials endpoint given by URL: EKS Pod Identity, whose token
// identifies the principal, or any other, which does not.
func (c *resolver) endpoint() (CredentialSource, error) {
	sources := []aws.CredentialSource{aws.CredentialSourceHTTP}
	full := c.sdk.ContainerCredentialsEndpoint
	tokenFile := c.env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
	if err := files.CheckRegular(tokenFile); err != nil {
		return CredentialSource{}, fmt.Errorf("%w: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %w", ErrNoCredentials, err)
	}
	u, err := url.Parse(full)
	if err == nil && u.Scheme == "http" && !loopback.Is(u.Host) && !loopback.IsMetadata(u.Host) {
		// The SDK takes every name that leads to such an address when it looks, and a proxy looks for itself.
		return CredentialSource{}, fmt.Errorf("%w: AWS_CONTAINER_CREDENTIALS_FULL_URI names %s by plain HTTP, which is not this machine; use https, localhost or an address", ErrNoCredentials, u.Hostname())
	}
	if err == nil && (u.Hostname() == "169.254.170.23" || u.Hostname() == "fd00:ec2::23") && tokenFile != "" {
		token, err := c.readToken(tokenFile)
		if claims, ok := parseJWT(token); err == nil && ok {
			return CredentialSource{Kind: KindPodIdentity, base: KindPodIdentity, Stable: true, sources: sources,
				Steps: []string{"EKS Pod Identity of " + claims.Subject}, material: append([]string{"pod-identity", full}, claims.principal()...)}, nil
		}
	}
	r := unstable(KindHTTP, "credentials endpoint of the environment", full, tokenFile)
	r.sources = sources
	return r, nil
}

func (c *resolver) imds() CredentialSource {
	r := unstable(KindIMDS, "role of the EC2 instance", c.sdk.EC2IMDSEndpoint)
	r.sources = []aws.CredentialSource{aws.CredentialSourceIMDS}
	return r
}
