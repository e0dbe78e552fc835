package ecr

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Settings are what a repository is created with. The zero value is
// what Amazon ECR does by itself: tags that may be moved, no scan on push,
// encryption with keys of Amazon S3. Source:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html.
type Settings struct {
	// ScanOnPush has images scanned when they arrive, where the registry does not
	// say otherwise.
	ScanOnPush bool
	// ImmutableTags keeps a tag at the image that it names first.
	ImmutableTags bool
	// MutabilityExclusions are patterns of tags to which the opposite of
	// ImmutableTags applies; * is any number of characters. At most five.
	MutabilityExclusions []string
	// Encryption is "AES256", "KMS" or "KMS_DSSE"; "" is KMS if there is a KMSKey,
	// else AES256.
	Encryption string
	// KMSKey is the alias, ID or ARN of a key in the region of the registry; "" is
	// the AWS managed key.
	KMSKey string
	// Tags are the resource tags of the repository.
	Tags map[string]string
}

// IsSet reports whether there is any setting.
func (s Settings) IsSet() bool {
	return s.ScanOnPush || s.ImmutableTags || len(s.MutabilityExclusions) > 0 || s.Encryption != "" || s.KMSKey != "" || len(s.Tags) > 0
}

// Validate reports what Amazon ECR would refuse in any account.
func (s Settings) Validate() error {
	known := types.EncryptionType("").Values()
	encryption := s.encryption()
	switch {
	case encryption != "" && !slices.Contains(known, encryption):
		return errors.New("encryption " + nearest.NotOneOf(string(encryption), known))
	case s.KMSKey != "" && encryption == types.EncryptionTypeAes256:
		return fmt.Errorf("encryption %s takes no KMS key", encryption)
	case len(s.MutabilityExclusions) > 5:
		return fmt.Errorf("%d mutability exclusions; at most 5 are allowed", len(s.MutabilityExclusions))
	case slices.Contains(s.MutabilityExclusions, ""):
		return errors.New("a mutability exclusion is empty")
	}
	return nil
}

func (s Settings) encryption() types.EncryptionType {
	if s.Encryption == "" && s.KMSKey != "" {
		return types.EncryptionTypeKms
	}
	return types.EncryptionType(s.Encryption)
}

// input is the request that creates a repository.
func (s Settings) input() *ecr.CreateRepositoryInput {
	in := &ecr.CreateRepositoryInput{ImageTagMutability: types.ImageTagMutabilityMutable}
	if s.ScanOnPush {
		in.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: true}
	}
	excluded := len(s.MutabilityExclusions) > 0
	switch {
	case s.ImmutableTags && excluded:
		in.ImageTagMutability = types.ImageTagMutabilityImmutableWithExclusion
	case s.ImmutableTags:
		in.ImageTagMutability = types.ImageTagMutabilityImmutable
	case excluded:
		in.ImageTagMutability = types.ImageTagMutabilityMutableWithExclusion
	}
	for _, pattern := range s.MutabilityExclusions {
		in.ImageTagMutabilityExclusionFilters = append(in.ImageTagMutabilityExclusionFilters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(pattern), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	if encryption := s.encryption(); encryption != "" {
		in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: encryption}
		if s.KMSKey != "" {
			in.EncryptionConfiguration.KmsKey = aws.String(s.KMSKey)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key])})
	}
	return in
}

// RepositoryDescription is a repository as Amazon ECR describes it. Its JSON form is stable:
// fields are only added.
type RepositoryDescription struct {
	Name string `json:"name"`
	// Host is that of the registry, as it was asked for.
	Host                 string    `json:"host"`
	ARN                  string    `json:"arn"`
	CreatedAt            time.Time `json:"createdAt"`
	TagMutability        string    `json:"tagMutability"` // MUTABLE, IMMUTABLE, or one of them with _WITH_EXCLUSION
	MutabilityExclusions []string  `json:"mutabilityExclusions,omitempty"`
	ScanOnPush           bool      `json:"scanOnPush"`
	Encryption           string    `json:"encryption"` // AES256, KMS or KMS_DSSE
	KMSKey               string    `json:"kmsKey,omitempty"`
}

func newDescription(r auth.Registry, from types.Repository) RepositoryDescription {
	repository := RepositoryDescription{
		Name:          aws.ToString(from.RepositoryName),
		Host:          r.Host,
		ARN:           aws.ToString(from.RepositoryArn),
		CreatedAt:     aws.ToTime(from.CreatedAt),
		TagMutability: string(from.ImageTagMutability),
	}
	for _, f := range from.ImageTagMutabilityExclusionFilters {
		repository.MutabilityExclusions = append(repository.MutabilityExclusions, aws.ToString(f.Filter))
	}
	if c := from.ImageScanningConfiguration; c != nil {
		repository.ScanOnPush = c.ScanOnPush
	}
	if c := from.EncryptionConfiguration; c != nil {
		repository.Encryption, repository.KMSKey = string(c.EncryptionType), aws.ToString(c.KmsKey)
	}
	return repository
}

// RepositoryExistsError reports that a registry has a repository of this name.
type RepositoryExistsError struct {
	Registry   auth.Registry
	Repository string
}

func (e *RepositoryExistsError) Error() string {
	return fmt.Sprintf("repository %s exists in %s already", e.Repository, e.Registry)
}

// Is makes the error a [content.ErrConflict].
func (e *RepositoryExistsError) Is(target error) bool { return target == content.ErrConflict }

// CreateRepository creates the repository, with one call. The error is a
// [RepositoryExistsError] if there is one. If an answer was lost, one with these settings is
// taken for the one that the call has created.
func (e *Repository) CreateRepository(ctx context.Context, s Settings) (RepositoryDescription, error) {
	if err := s.Validate(); err != nil {
		return RepositoryDescription{}, fmt.Errorf("%s: %w", e, err)
	}
	in := s.input()
	in.RegistryId, in.RepositoryName = &e.registry.Account, &e.repository
	calling, earlier := awscalls.WithEarlier(ctx)
	out, err := e.api.CreateRepository(calling, in)
	var exists *types.RepositoryAlreadyExistsException
	switch {
	case errors.As(err, &exists) && earlier.MayHaveRun():
		if d, err := e.created(ctx, s); err == nil {
			return d, nil
		}
		fallthrough
	case errors.As(err, &exists):
		return RepositoryDescription{}, &RepositoryExistsError{Registry: e.registry, Repository: e.repository}
	case err != nil:
		return RepositoryDescription{}, e.fail("creation", err)
	case out.Repository == nil:
		return RepositoryDescription{}, fmt.Errorf("%s: CreateRepository answered without a repository", e)
	}
	return newDescription(e.registry, *out.Repository), nil
}

// errOther reports that a repository has other settings.
var errOther = errors.New("it has other settings")

// created describes the repository, and fails unless it has the settings s.
func (e *Repository) created(ctx context.Context, s Settings) (RepositoryDescription, error) {
	d, err := e.Describe(ctx)
	if err != nil {
		return d, err
	}
	in := s.input()
	encryption := types.EncryptionTypeAes256
	if in.EncryptionConfiguration != nil {
		encryption = in.EncryptionConfiguration.EncryptionType
	}
	// A key in another form than its ARN, which is what is described, cannot be compared.
	sameKey := d.KMSKey == s.KMSKey || !strings.HasPrefix(s.KMSKey, "arn:")
	if d.TagMutability != string(in.ImageTagMutability) || !slices.Equal(d.MutabilityExclusions, s.MutabilityExclusions) ||
		d.ScanOnPush != s.ScanOnPush || d.Encryption != string(encryption) || !sameKey {
		return d, errOther
	}
	out, err := e.api.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: &d.ARN})
	if err != nil {
		return d, e.fail("resource tags", err)
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if !maps.Equal(tags, s.Tags) {
		return d, errOther
	}
	return d, nil
}

// Describe returns the settings of the repository, with one call. The error is a
// [RepositoryNotFoundError] if there is none.
func (e *Repository) Describe(ctx context.Context) (RepositoryDescription, error) {
	out, err := e.api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
		RegistryId: &e.registry.Account, RepositoryNames: []string{e.repository},
	})
	if err != nil {
		return RepositoryDescription{}, e.fail("settings", err)
	}
	if len(out.Repositories) != 1 {
		return RepositoryDescription{}, fmt.Errorf("%s: asked for one repository, got %d", e, len(out.Repositories))
	}
	return newDescription(e.registry, out.Repositories[0]), nil
}

// Mutability returns which tags can be moved.
func (e *Repository) Mutability(ctx context.Context) (content.Mutability, error) {
	d, err := e.Describe(ctx)
	return content.Mutability{Immutable: strings.HasPrefix(d.TagMutability, "IMMUTABLE"), Exclusions: d.MutabilityExclusions}, err
}

// List lists the repositories of a registry of Amazon ECR, with one call
// for each 1,000 of them, which is made when they are asked for. An error ends the
// list.
func List(ctx context.Context, cfg aws.Config, r auth.Registry) iter.Seq2[RepositoryDescription, error] {
	return func(yield func(RepositoryDescription, error) bool) {
		pages := ecr.NewDescribeRepositoriesPaginator(auth.NewClient(cfg, r), &ecr.DescribeRepositoriesInput{
			RegistryId: &r.Account, MaxResults: aws.Int32(listPageSize),
		}, func(o *ecr.DescribeRepositoriesPaginatorOptions) { o.StopOnDuplicateToken = true })
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(RepositoryDescription{}, fmt.Errorf("repositories of %s: %w", r.Host, auth.Explain(r, err)))
				return
			}
			for _, from := range page.Repositories {
				if !yield(newDescription(r, from), nil) {
					return
				}
			}
		}
	}
}
