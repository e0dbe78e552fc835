package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/wildcard"
	ecrrepo "github.com/ecrkit/ecrkit/transfer/ecr"
)

// Description is all settings of a repository. Its JSON
// form is stable: fields are only added.
type Description struct {
	ecrrepo.RepositoryDescription
	ResourceTags map[string]string `json:"resourceTags"`
	// Scanning is what applies to the repository; nil if only the registry's account
	// may know, which the identity in use is not of.
	Scanning *Scanning `json:"scanning"`
	// KeyManager is who manages the KMS key: AWS or CUSTOMER; "" if there is no key, or
	// if that could not be found out.
	KeyManager string `json:"keyManager,omitempty"`
	// Policy is the repository policy, null if there is none.
	Policy json.RawMessage `json:"policy"`
	// LifecyclePolicy is null if there is none.
	LifecyclePolicy json.RawMessage `json:"lifecyclePolicy"`
}

// Repositories lists the repositories whose name matches the pattern, as they arrive. An
// error ends the list.
func (r *Registry) Repositories(ctx context.Context, pattern string) iter.Seq2[ecrrepo.RepositoryDescription, error] {
	return func(yield func(ecrrepo.RepositoryDescription, error) bool) {
		for repository, err := range ecrrepo.List(ctx, r.cfg, r.Registry) {
			if err == nil && !wildcard.Match(pattern, repository.Name) {
				continue
			}
			if !yield(repository, err) || err != nil {
				return
			}
		}
	}
}

// Repository reads the settings that are the repository's own, with one call. The
// error wraps [content.ErrNotFound] if there is none.
func (r *Registry) Repository(ctx context.Context, name string) (ecrrepo.RepositoryDescription, error) {
	return ecrrepo.New(r.cfg, r.Registry, name).Describe(ctx)
}

// parallelDescriptions is how many repositories are read at the same time: the
// operations have quotas of some tens a second.
const parallelDescriptions = 6

// Describe reads all settings of repositories, with three calls for each, one for each
// 25, and one for each KMS key. The descriptions are in the order of the repositories;
// with those that could not be read left out, and an error for each of these.
func (r *Registry) Describe(ctx context.Context, repositories []ecrrepo.RepositoryDescription) ([]Description, []error) {
	var names []string
	for _, repository := range repositories {
		names = append(names, repository.Name)
	}
	scanning, err := r.Scanning(ctx, names)
	if err != nil && !errors.Is(err, ErrOtherAccount) {
		return nil, []error{err}
	}
	keys := &keyManagers{registry: r}
	all := make([]Description, len(repositories))
	failures := make([]error, len(repositories))
	var g errgroup.Group
	g.SetLimit(parallelDescriptions)
	for i, repository := range repositories {
		g.Go(func() error {
			all[i], failures[i] = r.describe(ctx, repository)
			if s, ok := scanning[repository.Name]; ok {
				all[i].Scanning = &s
			}
			all[i].KeyManager = keys.manager(ctx, repository.KMSKey)
			return nil
		})
	}
	_ = g.Wait() // the failures are beside
	var described []Description
	for i, d := range all {
		if failures[i] == nil {
			described = append(described, d)
		}
	}
	return described, slices.DeleteFunc(failures, func(err error) bool { return err == nil })
}

// describe reads what only the repository itself tells.
func (r *Registry) describe(ctx context.Context, repository ecrrepo.RepositoryDescription) (Description, error) {
	d := Description{RepositoryDescription: repository}
	var err error
	if d.ResourceTags, err = r.ResourceTags(ctx, repository.ARN); err != nil {
		return d, err
	}
	if d.Policy, err = r.RepositoryPolicy(ctx, repository.Name); err != nil && !errors.Is(err, ErrNoPolicy) {
		return d, err
	}
	text, err := r.LifecyclePolicy(ctx, repository.Name)
	switch {
	case errors.Is(err, ErrNoLifecyclePolicy):
		return d, nil
	case err != nil:
		return d, err
	}
	d.LifecyclePolicy, err = document(r.lifecycleObject(repository.Name), text)
	return d, err
}

// document is a policy of an answer, which is to be shown as the JSON that it is.
func document(object, text string) (json.RawMessage, error) {
	if !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("%s: the answer is not JSON", object)
	}
	return json.RawMessage(text), nil
}

// SetMutability changes which tags can be moved. Images stay as they are.
func (r *Registry) SetMutability(ctx context.Context, repository string, m Mutability) error {
	if err := m.Validate(); err != nil {
		return err
	}
	_, err := r.api.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
		ImageTagMutability: types.ImageTagMutability(m.Mode()), ImageTagMutabilityExclusionFilters: m.filters(),
	})
	if err != nil {
		return r.fail(fmt.Sprintf("tag mutability of %s/%s", r.Host, repository), repository, err)
	}
	return nil
}

// SetScanOnPush changes the scan on push that a repository has of its own. Amazon ECR
// has deprecated it for the scanning configuration of the registry, and where a rule of
// that matches, the rule applies.
func (r *Registry) SetScanOnPush(ctx context.Context, repository string, on bool) error {
	_, err := r.api.PutImageScanningConfiguration(ctx, &ecr.PutImageScanningConfigurationInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: on},
	})
	if err != nil {
		return r.fail(fmt.Sprintf("scan on push of %s/%s", r.Host, repository), repository, err)
	}
	return nil
}

// CreateRepository creates a repository, with one call. The error wraps
// [content.ErrConflict] if there is one of this name.
func (r *Registry) CreateRepository(ctx context.Context, name string, s ecrrepo.Settings) (ecrrepo.RepositoryDescription, error) {
	return ecrrepo.New(r.cfg, r.Registry, name).CreateRepository(ctx, s)
}

// ErrNotEmpty reports that a repository has images.
var ErrNotEmpty = errors.New("it has images")

// DeleteRepository deletes a repository; one that has images only with force, and the
// images with it. The error wraps [ErrNotEmpty] otherwise. If an answer was lost, that there
// is no repository any more is success.
func (r *Registry) DeleteRepository(ctx context.Context, name string, force bool) error {
	calling, earlier := awscalls.WithEarlier(ctx)
	_, err := r.api.DeleteRepository(calling, &ecr.DeleteRepositoryInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(name), Force: force,
	})
	var (
		notEmpty *types.RepositoryNotEmptyException
		missing  *types.RepositoryNotFoundException
	)
	switch {
	case errors.As(err, &missing) && earlier.MayHaveRun():
		return nil
	case errors.As(err, &notEmpty):
		return fmt.Errorf("repository %s/%s: %w", r.Host, name, ErrNotEmpty)
	case err != nil:
		return r.fail(fmt.Sprintf("deletion of %s/%s", r.Host, name), name, err)
	}
	return nil
}

// ResourceTags reads those of the repository with this ARN.
func (r *Registry) ResourceTags(ctx context.Context, arn string) (map[string]string, error) {
	out, err := r.api.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if err != nil {
		return nil, r.fail("resource tags of "+arn, "", err)
	}
	return tagsOf(out.Tags), nil
}

// Tag sets resource tags of the repository with this ARN. Existing tags get the new value;
// others stay.
func (r *Registry) Tag(ctx context.Context, arn string, tags map[string]string) error {
	if _, err := r.api.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: aws.String(arn), Tags: resourceTags(tags)}); err != nil {
		return r.fail("resource tags of "+arn, "", err)
	}
	return nil
}

// Untag removes resource tags of the repository with this ARN.
func (r *Registry) Untag(ctx context.Context, arn string, keys []string) error {
	if _, err := r.api.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: aws.String(arn), TagKeys: keys}); err != nil {
		return r.fail("resource tags of "+arn, "", err)
	}
	return nil
}

func tagsOf(tags []types.Tag) map[string]string {
	all := map[string]string{}
	for _, t := range tags {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return all
}

func resourceTags(tags map[string]string) []types.Tag {
	var all []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return all
}

// Content is how much is in a repository.
type Content struct {
	Images int
	Bytes  int64 // of all images; layers that they share count for each
}

// Content counts what is in a repository, archived images too, with one call for each
// 1,000 images.
func (r *Registry) Content(ctx context.Context, repository string) (Content, error) {
	var c Content
	pages := ecr.NewDescribeImagesPaginator(r.api, &ecr.DescribeImagesInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), MaxResults: aws.Int32(1000),
		Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny},
	}, func(o *ecr.DescribeImagesPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return c, r.fail(fmt.Sprintf("images of %s/%s", r.Host, repository), repository, err)
		}
		c.Images += len(page.ImageDetails)
		for _, i := range page.ImageDetails {
			c.Bytes += aws.ToInt64(i.ImageSizeInBytes)
		}
	}
	return c, nil
}
