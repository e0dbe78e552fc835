package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/auth"
)

// identity obtains AWS credentials and asks whose they are.
type identity struct{}

// Run implements [Check].
func (identity) Run(ctx context.Context, s *Session) Finding {
	if s.Subject.Host != "" && s.Subject.Registry.Host == "" {
		return skipped("not Amazon ECR")
	}
	f := s.identify(ctx)
	if s.Subject.Registry.Public && f.Status == Failed {
		f.Status = Warning
		f.Found += "; ECR Public is pulled from without credentials"
	}
	return f
}

func (s *Session) identify(ctx context.Context) Finding {
	r := s.registry()
	plan, err := s.Tokens.Minter.AWS.Plan(ctx, r)
	if err != nil {
		return s.fail("", err)
	}
	cfg, err := s.configuration(ctx)
	if err != nil {
		return s.fail("", err)
	}
	source := fmt.Sprintf("%s: %s", plan.Source.Kind, strings.Join(plan.Source.Steps, ", then "))
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return s.fail("", auth.Explain(r, err))
	}
	out, err := s.sts(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		f := s.fail("GetCallerIdentity", err)
		if s.Subject.isECR() {
			// Amazon ECR decides: a VPC may have no way to STS.
			f = warning(fmt.Sprintf("whose the credentials are (%s) is unknown: %s", source, f.Found), f.Advice...)
		}
		return f
	}
	account, arn := aws.ToString(out.Account), aws.ToString(out.Arn)
	if s.Subject.isECR() && account != r.Account {
		return warning(fmt.Sprintf("%s is of account %s, and the registry of %s (%s)", arn, account, r.Account, source),
			fmt.Sprintf("Check the account in the host and the profile. If both are right, the repository policy in %s must allow %s.", r.Account, account))
	}
	return ok(fmt.Sprintf("%s (%s)", arn, source))
}
