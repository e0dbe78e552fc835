package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/auth"
)

// token gets an authorization token, from the cache or from Amazon ECR.
type token struct{}

// Run implements [Check].
func (token) Run(ctx context.Context, s *Session) Finding {
	r := s.Subject.Registry
	if r.Host == "" {
		return skipped("not Amazon ECR")
	}
	_, cached, _ := s.Tokens.Cached(ctx, r) // without a cache it is not cached
	t, err := s.Tokens.Token(ctx, r)
	if err != nil {
		f := s.fail("GetAuthorizationToken", err)
		if isDenied(err) {
			f.Advice = []string{"Allow ecr:GetAuthorizationToken on resource * in the policy of the identity: it can't be limited to a repository.",
				"Look for a deny too: an SCP, a permission boundary or the policy of the VPC endpoint ecr.api."}
		}
		if r.Public {
			f.Status = Warning
			f.Found += "; ECR Public is pulled from without credentials"
		}
		return f
	}
	from := "new"
	if cached {
		from = "cached"
	}
	return ok(fmt.Sprintf("%s, valid until %s", from, t.ExpiresAt.UTC().Format(time.RFC3339)))
}

// Present shows the password of the user AWS to a registry, and returns the HTTP status
// of its answer.
func Present(ctx context.Context, client *http.Client, r auth.Registry, password string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Scheme()+"://"+r.Host+"/v2/", nil)
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth(auth.Username, password)
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// registry shows the token to the registry; at other registries it asks for /v2/.
type registry struct{}

// Run implements [Check].
func (registry) Run(ctx context.Context, s *Session) Finding {
	switch {
	case s.Subject.Host == "":
		return skipped("no registry was named")
	case !s.Subject.isECR():
		return s.anonymous()
	}
	r := s.Subject.Registry
	t, err := s.Tokens.Token(ctx, r)
	if err != nil {
		return s.fail("GetAuthorizationToken", err)
	}
	status, err := Present(ctx, s.client(ctx), r, t.Secret)
	switch {
	case err != nil:
		return failed("the registry does not answer: " + reasonOf(err))
	case status == http.StatusOK:
		return ok("accepts the token")
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusBadRequest:
		advice := []string{"Run this again: the token was removed from the cache, and a new one is requested."}
		if err := s.Tokens.Reject(ctx, r, t); err != nil {
			advice = []string{fmt.Sprintf("Run `ecrkit auth cache clear`: the token could not be removed from the cache (%v).", err)}
		}
		return failed(fmt.Sprintf("answers %d to the token: it is for another region, account or endpoint than %s", status, r),
			append(advice, "If it is refused again, see that the API and the registry are of one region and partition, and that the policy of the VPC endpoint ecr.dkr allows it.")...)
	}
	return s.judgeStatus(status)
}

// anonymous judges what the registry has answered to a request without credentials.
func (s *Session) anonymous() Finding {
	status := 0
	s.know(func(f *facts) {
		for _, r := range f.hosts {
			if r.name == "the registry" {
				status = r.status
			}
		}
	})
	if status == http.StatusOK || status == http.StatusUnauthorized {
		return ok("answers as a registry")
	}
	return s.judgeStatus(status)
}

func (s *Session) judgeStatus(status int) Finding {
	text := strings.TrimSpace(fmt.Sprintf("answers %d %s to GET /v2/", status, http.StatusText(status)))
	switch {
	case status == http.StatusTooManyRequests:
		s.throttled("GET /v2/")
		return warning(text)
	case status == http.StatusNotFound:
		return failed(text+": it is not a registry", "Check the host: a reference begins with that of the registry, without a path or http:// before it.")
	case status >= http.StatusInternalServerError:
		return failed(text, "Try again later. For Amazon ECR, see https://health.aws.amazon.com/.")
	}
	return failed(text, "See what answers at "+s.Subject.Host+": a proxy, a load balancer or a login page.")
}
