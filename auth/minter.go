package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
	"github.com/aws/aws-sdk-go-v2/service/sso/types"
	smithymiddleware "github.com/aws/smithy-go/middleware"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Minter is the [TokenSource] that asks Amazon ECR for a new token each time.
type Minter struct {
	AWS AWS
	// Timeout bounds the whole of it, including the search for AWS credentials; 0
	// means 15 seconds. A credential_process, which may ask the user for a code, may
	// take a minute more.
	Timeout time.Duration
	// MetadataTimeout bounds the wait for an instance metadata service, which on
	// a machine outside of AWS is silence; 0 means 1.5 seconds.
	MetadataTimeout time.Duration
}

// Token calls GetAuthorizationToken in the region of r. The token is good for
// every registry of that region that the caller's principal may use, whatever
// the account:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html.
// Errors come from [Explain].
func (m *Minter) Token(ctx context.Context, r Registry) (Token, error) {
	plan, err := m.AWS.Plan(ctx, r)
	if err != nil {
		return Token{}, err
	}
	ctx, cancel := m.bound(ctx, plan)
	defer cancel()
	s, err := m.session(ctx, plan)
	if err != nil {
		return Token{}, err
	}
	return m.mint(ctx, s)
}

// session is AWS credentials, and the plan by which they were obtained. The
// plan's credential source is unstable if the credentials may be another principal's.
type session struct {
	plan        TokenPlan
	cfg         aws.Config // with these credentials and no others
	credentials aws.Credentials
}

// session obtains the credentials of a plan. It does so again while the plan
// changes underneath: the SDK renews the login of an SSO session, which makes
// another credential source, and somebody may edit a profile.
func (m *Minter) session(ctx context.Context, plan TokenPlan) (session, error) {
	const attempts = 3
	for range attempts {
		cfg, drift, err := m.AWS.configure(ctx, plan)
		if err != nil {
			return session{}, Explain(plan.Registry, err)
		}
		credentials, err := m.AWS.credentials(plan, cfg, m.MetadataTimeout).Retrieve(ctx)
		if err != nil {
			return session{}, Explain(plan.Registry, err)
		}
		now, err := m.AWS.Plan(ctx, plan.Registry)
		if err != nil {
			return session{}, err
		}
		same := now.Key() == plan.Key()
		if plan = now; !same && plan.Source.Stable {
			continue
		}
		plan.Source.Stable = plan.Source.Stable && !drift
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil })
		return session{plan, cfg, credentials}, nil
	}
	return session{}, Explain(plan.Registry, errors.New("the AWS configuration changes all the time; try again"))
}

// mint calls GetAuthorizationToken.
func (m *Minter) mint(ctx context.Context, s session) (Token, error) {
	ctx, cancel := m.boundCall(ctx)
	defer cancel()
	token, err := m.call(ctx, s)
	if err != nil {
		return Token{}, Explain(s.plan.Registry, s.plan.explain(err))
	}
	// ECR Public ends a token with the temporary credentials that it was minted with.
	if s.plan.Registry.Public && s.credentials.CanExpire && s.credentials.Expires.Before(token.ExpiresAt) {
		token.ExpiresAt = s.credentials.Expires
	}
	return token, nil
}

// mintPolicy returns the policy for calls that somebody waits for who has run docker: a
// service that fails is reported within seconds.
func mintPolicy() retry.Policy {
	p := retry.Default()
	p.Tries, p.Throttled = 5, 5*time.Second
	return p
}

func (m *Minter) call(ctx context.Context, s session) (Token, error) {
	if s.plan.Registry.Public {
		out, err := newPublicClient(s.cfg, s.plan.Registry).GetAuthorizationToken(ctx, &ecrpublic.GetAuthorizationTokenInput{})
		if err != nil {
			return Token{}, err
		}
		if out.AuthorizationData == nil {
			return Token{}, errNoToken
		}
		return m.decode(out.AuthorizationData.AuthorizationToken, out.AuthorizationData.ExpiresAt, out.ResultMetadata)
	}
	out, err := newClient(s.cfg, s.plan.Registry, mintPolicy()).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return Token{}, err
	}
	if len(out.AuthorizationData) == 0 {
		return Token{}, errNoToken
	}
	return m.decode(out.AuthorizationData[0].AuthorizationToken, out.AuthorizationData[0].ExpiresAt, out.ResultMetadata)
}

// newPublicClient makes a client of ECR Public's API, which has no FIPS endpoint.
func newPublicClient(cfg aws.Config, r Registry) *ecrpublic.Client {
	return ecrpublic.NewFromConfig(cfg, func(o *ecrpublic.Options) {
		o.HTTPClient = wholeBody{o.HTTPClient}
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled
		if r.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
		takeEndpoint(cfg, &o.BaseEndpoint)
		awscalls.PreferEndpoint(o.BaseEndpoint, &o.EndpointOptions.UseFIPSEndpoint, &o.EndpointOptions.UseDualStackEndpoint)
		o.HTTPClient = awscalls.Use(mintPolicy(), awscalls.Options{
			Retryer: &o.Retryer, MaxAttempts: &o.RetryMaxAttempts, APIOptions: &o.APIOptions, Credentials: o.Credentials,
		}, o.HTTPClient.Do)
	})
}

var errNoToken = errors.New("GetAuthorizationToken answered without a token")

// decode makes a token of the answer. Its lifetime is measured by the clock of
// the service, so that it does not matter if this machine's is wrong.
func (m *Minter) decode(encoded *string, expires *time.Time, metadata smithymiddleware.Metadata) (Token, error) {
	token, err := decodeToken(aws.ToString(encoded), aws.ToTime(expires))
	if err != nil {
		return Token{}, err
	}
	now := m.AWS.now()
	token.IssuedAt = now
	if served, ok := middleware.GetServerTime(metadata); ok {
		token.ExpiresAt = now.Add(token.ExpiresAt.Sub(served))
	}
	return token, nil
}

// decodeToken takes the password out of base64("AWS:" + password).
func decodeToken(encoded string, expires time.Time) (Token, error) {
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	// The error of the decoder is not repeated: nothing of a token may get into a text.
	user, secret, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok || user != Username || secret == "" {
		return Token{}, errors.New("GetAuthorizationToken answered with a token that is not base64 of AWS:PASSWORD")
	}
	return Token{Secret: secret, ExpiresAt: expires}, nil
}

// explain distinguishes failures that look alike without the plan.
func (p TokenPlan) explain(err error) error {
	var expired *ssocreds.InvalidTokenError
	var refused *types.UnauthorizedException
	if errors.As(err, &expired) || errors.As(err, &refused) {
		return &loginError{profile: p.Source.Profile, command: "aws sso login", err: err}
	}
	return err
}
