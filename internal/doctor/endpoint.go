package doctor

import (
	"context"
	"fmt"
	"net/url"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// endpoint examines where the AWS API is called: AWS_ENDPOINT_URL and its like, rules of
// the configuration, and registries that are mapped to a host.
type endpoint struct{}

// regionOfAPI finds the region in the host names of the ECR API, VPC endpoints included.
// https://docs.aws.amazon.com/general/latest/gr/ecr.html
var regionOfAPI = lazyregexp.New(`(?:^|\.)ecr(?:-fips)?\.([a-z]+(?:-[a-z]+)+-[0-9]+)\.`)

// Run implements [Check].
func (endpoint) Run(ctx context.Context, s *Session) Finding {
	r := s.Subject.Registry
	if r.Host == "" {
		return skipped("not Amazon ECR")
	}
	plan, err := s.Tokens.Minter.AWS.Plan(ctx, r)
	e := plan.Endpoint
	if err != nil && e.URL == "" {
		return s.fail("", err)
	}
	setBy := e.SetBy
	if setBy == "" {
		setBy = "that of the region"
	}
	where := fmt.Sprintf("%s (%s)", e.URL, setBy)
	unset := fmt.Sprintf("Correct or remove %s.", setBy)
	u, err := url.Parse(e.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return failed(fmt.Sprintf("%s: not a URL that begins with https:// or http://", where), unset)
	}
	switch in := regionOfAPI.FindStringSubmatch(u.Hostname()); {
	case in != nil && in[1] != r.Region:
		return failed(fmt.Sprintf("%s is in %s, and the registry in %s: its tokens are refused", where, in[1], r.Region), unset)
	case e.Elsewhere:
		return warning(fmt.Sprintf("the API is called at %s, which is neither %s nor of its region: another registry answers", where, r.Host), unset)
	case u.Scheme == "http" && !loopback.Is(u.Host):
		return warning(where + ": tokens cross the network in plain text")
	}
	if r.Public || r.Host == r.CanonicalHost() {
		return ok("API at " + where)
	}
	return ok(fmt.Sprintf("registry %s; API at %s", r, where))
}
