package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// repository looks for the repository, and for names like its if it is missing.
type repository struct{}

// Run implements [Check].
func (repository) Run(ctx context.Context, s *Session) Finding {
	api, f := s.repositoryAPI(ctx)
	if api == nil {
		return f
	}
	name := s.Subject.Reference.Repository
	out, err := api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: s.account(), RepositoryNames: []string{name}})
	var missing *types.RepositoryNotFoundException
	switch {
	case errors.As(err, &missing):
		return s.missingRepository(ctx, api)
	case isDenied(err):
		return warning("ecr:DescribeRepositories is not permitted, so it is not known whether "+name+" exists",
			"Allow ecr:DescribeRepositories for lists and for better messages; a pull does not need it.")
	case err != nil:
		return s.fail("DescribeRepositories", err)
	case len(out.Repositories) != 1:
		return failed("the answer of DescribeRepositories has no repository " + name)
	}
	found := out.Repositories[0]
	s.know(func(f *facts) {
		f.scanned = found.ImageScanningConfiguration != nil && found.ImageScanningConfiguration.ScanOnPush
	})
	text := name + " exists"
	if e := found.EncryptionConfiguration; e != nil && e.KmsKey != nil {
		text += ", encrypted with " + aws.ToString(e.KmsKey)
	}
	return ok(text)
}

func (s *Session) missingRepository(ctx context.Context, api *ecr.Client) Finding {
	r, name := s.Subject.Registry, s.Subject.Reference.Repository
	out, err := api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: s.account(), MaxResults: aws.Int32(1000)})
	advice := []string{fmt.Sprintf("Create it with `ecrkit repo create %s/%s`: Amazon ECR does not create it on a push by itself.", r.Host, name)}
	if err == nil {
		var names []string
		for _, repository := range out.Repositories {
			names = append(names, aws.ToString(repository.RepositoryName))
		}
		advice = append([]string{sentence(s.Suggest(name, names, "repository", "repositories", "ecrkit ls "+r.Host))}, advice...)
	}
	return failed(fmt.Sprintf("repository %s does not exist in %s", name, r), advice...)
}
