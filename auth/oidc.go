package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// Variables of the environment for a role that a job of a pipeline assumes with the OIDC
// token of its system.
const (
	// OIDCRoleVariable is the ARN of the role, for all registries without a rule that
	// names another. It wins over every other identity of the environment.
	OIDCRoleVariable = "ECRKIT_OIDC_ROLE_ARN"
	// OIDCTokenVariable is the token itself: GitLab's id_tokens sets it. Without it the
	// token is requested from GitHub Actions.
	OIDCTokenVariable = "ECRKIT_ID_TOKEN"

	gitHubURLVariable   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	gitHubTokenVariable = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// oidcTime is for how long GitHub may take to make a token.
const oidcTime = 10 * time.Second

// oidcRole returns the role that is assumed with an OIDC token; "" is another identity.
func (p TokenPlan) oidcRole(env Environment) string {
	if p.Rule.OIDCRoleARN != "" {
		return p.Rule.OIDCRoleARN
	}
	if p.Rule.Profile != "" && p.Rule.IgnoreEnvironment {
		return ""
	}
	return env.get(OIDCRoleVariable)
}

// oidc is the credential source of a role that a job assumes. GitHub's token is requested later:
// what identifies the job until then is the secret with which it can be. Its hash is
// part of the key, so that no job has the token of another one.
func (c *resolver) oidc(roleARN string) (CredentialSource, error) {
	r := CredentialSource{Kind: KindWebIdentity, base: KindWebIdentity, Stable: true}
	if !strings.HasPrefix(roleARN, "arn:") {
		return r, fmt.Errorf("%s: %q is not the ARN of a role", OIDCRoleVariable, roleARN)
	}
	sessionName := c.sdk.RoleSessionName
	if token := strings.TrimSpace(c.env.get(OIDCTokenVariable)); token != "" {
		r.Steps = []string{"OIDC token in " + OIDCTokenVariable, "assume " + roleARN}
		principal, err := c.principal(token, OIDCTokenVariable)
		if err != nil {
			return r, err
		}
		r.material = append([]string{"oidc", roleARN, sessionName}, principal...)
		r.material = append(r.material, c.overrides...)
		return r, nil
	}
	r.Steps = []string{"OIDC token of GitHub Actions", "assume " + roleARN}
	address, secret := c.env.get(gitHubURLVariable), c.env.get(gitHubTokenVariable)
	if address == "" || secret == "" {
		if c.env.get("GITHUB_ACTIONS") == "true" {
			return r, &oidcError{fmt.Errorf("this job may not request the OIDC token with which %s is assumed: give it the permission `id-token: write` (permissions: id-token: write)", roleARN)}
		}
		return r, &oidcError{fmt.Errorf("there is no OIDC token with which %s is assumed: this is not a job of GitHub Actions, and %s is not set (in GitLab, id_tokens sets it)", roleARN, OIDCTokenVariable)}
	}
	r.material = append([]string{"oidc", roleARN, sessionName, address, hash(secret)}, c.overrides...)
	return r, nil
}

// oidcError is a lack of an OIDC token. Its text says what to do.
type oidcError struct{ err error }

func (e *oidcError) Error() string   { return fmt.Sprintf("%v: %v", ErrNoCredentials, e.err) }
func (e *oidcError) Unwrap() []error { return []error{ErrNoCredentials, e.err} }

// oidcProvider returns the credentials of a role that a job assumes.
func (a AWS) oidcProvider(p TokenPlan, role string, cfg aws.Config) aws.CredentialsProvider {
	sessionName := p.env.RoleSessionName
	if sessionName == "" {
		sessionName = "ecrkit"
	}
	client := sts.NewFromConfig(cfg, PreferEndpoint)
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		token, err := a.oidcToken(ctx, p, cfg.HTTPClient)
		if err != nil {
			return aws.Credentials{}, err
		}
		return stscreds.NewWebIdentityRoleProvider(client, role, identityToken(token), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = sessionName
		}).Retrieve(ctx)
	}))
}

// identityToken is a [stscreds.IdentityTokenRetriever].
type identityToken string

func (t identityToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

// oidcToken returns the token of the job.
func (a AWS) oidcToken(ctx context.Context, p TokenPlan, client aws.HTTPClient) (string, error) {
	if token := strings.TrimSpace(a.Env.get(OIDCTokenVariable)); token != "" {
		return token, nil
	}
	// As https://github.com/actions/toolkit/tree/main/packages/core does.
	address, err := url.Parse(a.Env.get(gitHubURLVariable))
	if err != nil || address.Host == "" || address.Scheme != "https" && (address.Scheme != "http" || !loopback.Is(address.Hostname())) {
		return "", &oidcError{errors.New(gitHubURLVariable + " is not the URL of GitHub's token service")}
	}
	query := address.Query()
	query.Set("audience", stsAudience(p.Registry.Partition))
	address.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, oidcTime)
	defer cancel()
	var token string
	err = retry.Do(ctx, retry.Default(), func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+a.Env.get(gitHubTokenVariable))
		request.Header.Set("Accept", "application/json")
		token, err = requestToken(client, request)
		return err
	})
	if err != nil {
		return "", &oidcError{fmt.Errorf("OIDC token of GitHub Actions: %w", err)}
	}
	return token, nil
}

// requestToken asks GitHub for a token. Its errors contain nothing of the answer, which
// could be one.
func requestToken(client aws.HTTPClient, request *http.Request) (string, error) {
	response, err := client.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the URL, whose query is long
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxToken))
	var answer struct {
		Value string `json:"value"`
	}
	switch {
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		return "", fmt.Errorf("%s answers %s", request.URL.Host, response.Status)
	case response.StatusCode != http.StatusOK:
		return "", retry.As(retry.Final, fmt.Errorf("%s answers %s", request.URL.Host, response.Status))
	case err != nil:
		return "", fmt.Errorf("%s: %w", request.URL.Host, err)
	case json.Unmarshal(data, &answer) != nil || answer.Value == "":
		return "", retry.As(retry.Final, fmt.Errorf("%s answers without a token", request.URL.Host))
	}
	return answer.Value, nil
}

// stsAudience is the audience that AWS STS expects of a token. See
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html.
func stsAudience(partition string) string {
	if partition == "aws-cn" {
		return "sts.amazonaws.com.cn"
	}
	return "sts.amazonaws.com"
}
