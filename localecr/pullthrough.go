package localecr

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
	"github.com/ecrkit/ecrkit/localecr/internal/upstream"
)

// validatePullThroughCacheRule asks the upstream registry of a rule. Errors: PullThroughCacheRuleNotFound,
// InvalidParameter.
func validatePullThroughCacheRule(ctx context.Context, x *exchange, body []byte) (any, error) {
	in := new(ecr.ValidatePullThroughCacheRuleInput)
	if err := x.decodeECR(body, in); err != nil {
		return nil, err
	}
	rule, err := x.registry().PullThroughCacheRule(ctx, in.EcrRepositoryPrefix)
	if err != nil {
		return nil, err
	}
	out := &ecr.ValidatePullThroughCacheRuleOutput{
		CredentialArn: rule.CredentialArn, CustomRoleArn: rule.CustomRoleArn, EcrRepositoryPrefix: rule.EcrRepositoryPrefix, IsValid: true,
		RegistryId: rule.RegistryId, UpstreamRegistryUrl: rule.UpstreamRegistryUrl, UpstreamRepositoryPrefix: rule.UpstreamRepositoryPrefix,
	}
	from, err := x.upstreamOf(rule)
	if err == nil {
		err = from.Check(ctx)
	}
	if err != nil {
		out.IsValid, out.Failure = false, aws.String(err.Error())
	}
	return out, nil
}

// pullThrough brings an image into the cache before it is pulled, if a rule is for its repository. It returns a failure
// for an image that the cache does not have and cannot get. An image that the cache has is served even if the upstream
// registry refuses.
func (x *exchange) pullThrough(ctx context.Context, name string, id types.ImageIdentifier) (*types.ImageFailure, error) {
	if up, err := x.registry().Upstream(ctx, name, id); err != nil || up == nil {
		return nil, err
	}
	done, err := x.server.imports.begin(ctx, x.account+"/"+x.region+"/"+name)
	if err != nil {
		return nil, err
	}
	defer done()
	up, err := x.registry().Upstream(ctx, name, id) // another call may have brought the image
	if err != nil || up == nil {
		return nil, err
	}
	err = x.importUpstream(ctx, name, id, up)
	switch {
	case err == nil:
		return nil, nil
	case up.Digest != "":
		x.server.logger.Warn("local ECR: an image is served from the pull-through cache", "repository", name, "error", err)
		return nil, nil
	case errors.Is(err, upstream.ErrNotFound):
		return nil, nil // the cache says so in its own words
	}
	fail := func(code types.ImageFailureCode) (*types.ImageFailure, error) {
		return &types.ImageFailure{FailureCode: code, FailureReason: aws.String(err.Error()), ImageId: &id}, nil
	}
	var api interface{ ErrorCode() string }
	switch {
	case errors.As(err, &api):
		return nil, err
	case errors.Is(err, upstream.ErrAccessDenied):
		return fail(types.ImageFailureCodeUpstreamAccessDenied)
	case errors.Is(err, upstream.ErrTooMany):
		return fail(types.ImageFailureCodeUpstreamTooManyRequests)
	default:
		return fail(types.ImageFailureCodeUpstreamUnavailable)
	}
}

// importUpstream copies an image, with the images of an index, from its upstream registry.
func (x *exchange) importUpstream(ctx context.Context, name string, id types.ImageIdentifier, up *registry.Upstream) error {
	// Source of the permissions: user guide, IAM permissions for pull through cache.
	needs := []string{"ecr:BatchImportUpstreamImage"}
	if up.NoRepo {
		needs = append(needs, "ecr:CreateRepository")
	}
	for _, action := range needs {
		if err := x.authorize(permission{account: x.account, action: action, repository: name}); err != nil {
			return err
		}
	}
	from, err := x.upstreamOf(up.Rule)
	if err != nil {
		return err
	}
	tag := aws.ToString(id.ImageTag)
	reference := tag
	if id.ImageDigest != nil {
		reference = *id.ImageDigest
	}
	image, err := from.Get(ctx, up.Repository, reference)
	if err != nil {
		return err
	}
	if image.Digest.String() != up.Digest {
		if up.NoRepo {
			if err := x.registry().CreateCache(ctx, name); err != nil {
				return err
			}
		}
		if err := putRemote(ctx, &putter{&Repository{registry: x.registry(), name: name}}, tag, image); err != nil {
			return upstream.Classify(err)
		}
	}
	return x.registry().NoteUpstreamCheck(ctx, name, tag)
}

func putRemote(ctx context.Context, p *putter, tag string, image *remote.Descriptor) error {
	if image.MediaType.IsIndex() {
		index, err := image.ImageIndex()
		if err != nil {
			return err
		}
		return p.index(ctx, tag, index)
	}
	one, err := image.Image()
	if err != nil {
		return err
	}
	return p.image(ctx, tag, one)
}

// upstreamOf returns the upstream registry of a rule. Errors: UnableToGetUpstreamImage (the secret or role of the rule does
// not exist any more).
func (x *exchange) upstreamOf(rule types.PullThroughCacheRule) (upstream.Registry, error) {
	s := x.server
	from := upstream.Registry{Host: *rule.UpstreamRegistryUrl, Transport: s.upstreams().transport(s)}
	if arn := aws.ToString(rule.CredentialArn); arn != "" {
		secret, ok := s.upstreams().Secrets[arn]
		if !ok {
			return from, &types.UnableToGetUpstreamImageException{Message: aws.String("The secret with ARN '" + arn + "' was not found")}
		}
		from.Username, from.Password = secret.Username, secret.AccessToken
		return from, nil
	}
	host, ours := s.ownRegistry(from.Host)
	if !ours {
		return from, nil
	}
	caller := x.principal
	if role := aws.ToString(rule.CustomRoleArn); role != "" {
		var err error
		if caller, err = s.identities().RoleSession(role, "ecr-pull-through-cache"); err != nil {
			return from, &types.UnableToGetUpstreamImageException{Message: aws.String(err.Error())}
		}
	}
	token, _ := s.identities().IssueToken(caller, host.region, s.clock.Now())
	password, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return from, fmt.Errorf("token: %w", err)
	}
	from.Username, from.Password, _ = strings.Cut(string(password), ":")
	return from, nil
}

// ownRegistry returns the account and region of a host name if it is that of a registry of this server.
func (s *Server) ownRegistry(host string) (registryName, bool) {
	if s.upstreams().Hosts[host] != "" || hostPattern.FindString(host) == "" {
		return registryName{}, false
	}
	if _, port, ok := strings.Cut(host, ":"); ok && !strings.HasSuffix(s.Registry, ":"+port) {
		return registryName{}, false
	}
	name, err := s.parseRegistryHost(host)
	if err != nil {
		return registryName{}, false
	}
	for _, a := range s.accounts() {
		if a.ID == name.account {
			return name, true
		}
	}
	return registryName{}, false
}

// imports let one image of a repository come from upstream at a time: a second pull of it finds it in the cache.
type imports struct {
	mu      sync.Mutex
	running map[string]chan struct{} // closed at the end
}

// begin waits until no other import of the key runs. The caller calls done.
func (i *imports) begin(ctx context.Context, key string) (done func(), err error) {
	for {
		i.mu.Lock()
		other := i.running[key]
		if other == nil {
			own := make(chan struct{})
			if i.running == nil {
				i.running = map[string]chan struct{}{}
			}
			i.running[key] = own
			i.mu.Unlock()
			return func() {
				i.mu.Lock()
				defer i.mu.Unlock()
				delete(i.running, key)
				close(own)
			}, nil
		}
		i.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// upstreamFailure is a failure of the pull-through cache as /v2/ has it. What Amazon ECR answers is not documented.
func upstreamFailure(f *types.ImageFailure) error {
	status, code := http.StatusServiceUnavailable, "UNAVAILABLE"
	switch f.FailureCode {
	case types.ImageFailureCodeUpstreamAccessDenied:
		status, code = http.StatusForbidden, "DENIED"
	case types.ImageFailureCodeUpstreamTooManyRequests:
		status, code = http.StatusTooManyRequests, "TOOMANYREQUESTS"
	}
	return &v2Error{status, code, aws.ToString(f.FailureReason)}
}
