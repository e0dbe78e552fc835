package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// awsCalls prints the aws CLI's command line and makes the same call with the SDK, so that the
// demonstration runs without the CLI.
type awsCalls struct {
	*shell
	client *ecr.Client
}

func (a *awsCalls) createRepository(ctx context.Context, name string) error {
	a.typed("aws ecr create-repository --repository-name %s", name)
	out, err := a.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(name)})
	if err != nil {
		return fmt.Errorf("create repository %s: %w", name, err)
	}
	fmt.Fprintf(a.out, "%s\n%s\n", aws.ToString(out.Repository.RepositoryArn), aws.ToString(out.Repository.RepositoryUri))
	return nil
}

// describeImages prints the images of a repository and returns their digests by tag.
func (a *awsCalls) describeImages(ctx context.Context, repository string) (map[string]string, error) {
	a.typed("aws ecr describe-images --repository-name %s", repository)
	digests := make(map[string]string)
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TAGS\tDIGEST\tMEDIA TYPE\tBYTES")
	pages := ecr.NewDescribeImagesPaginator(a.client, &ecr.DescribeImagesInput{RepositoryName: aws.String(repository)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe images of %s: %w", repository, err)
		}
		for _, image := range page.ImageDetails {
			slices.Sort(image.ImageTags)
			for _, tag := range image.ImageTags {
				digests[tag] = aws.ToString(image.ImageDigest)
			}
			fmt.Fprintf(table, "%s\t%.19s…\t%s\t%d\n", strings.Join(image.ImageTags, ","), aws.ToString(image.ImageDigest),
				aws.ToString(image.ImageManifestMediaType), aws.ToInt64(image.ImageSizeInBytes))
		}
	}
	return digests, table.Flush()
}
