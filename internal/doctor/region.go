package doctor

import (
	"context"
	"fmt"
	"slices"
)

// regions are those of AWS when this was written:
// https://docs.aws.amazon.com/general/latest/gr/ecr.html. A region that is not among
// them is only warned of.
var regions = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
	"ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
	"ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
	"eu-isoe-west-1", "eu-west-1", "eu-west-2", "eu-west-3", "eusc-de-east-1", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1",
	"us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "us-isob-west-1",
	"us-isof-east-1", "us-isof-south-1", "us-west-1", "us-west-2",
}

// region compares the registry's region with those that exist, and with that of the
// environment.
type region struct{}

// Run implements [Check].
func (region) Run(_ context.Context, s *Session) Finding {
	r := s.Subject.Registry
	if !s.Subject.isECR() {
		return skipped("not a private registry of Amazon ECR")
	}
	if !slices.Contains(regions, r.Region) {
		return warning(fmt.Sprintf("%s is not a known region of AWS", r.Region), sentence(s.Suggest(r.Region, regions, "region", "regions", "aws ec2 describe-regions --all-regions")))
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if value := s.Env.Get(name); value != "" && value != r.Region {
			return warning(fmt.Sprintf("%s is %s, and the registry is in %s", name, value, r.Region),
				fmt.Sprintf("ecrkit uses the registry's region. `aws ecr get-login-password` needs `--region %s`: a token of another region is refused.", r.Region))
		}
	}
	return ok(r.Region)
}
