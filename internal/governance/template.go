package governance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

// ErrNoTemplate reports that a registry has no repository creation template of a prefix.
var ErrNoTemplate = errors.New("no such repository creation template")

// RootPrefix is the prefix of the template for what no other is for.
const RootPrefix = "ROOT"

var templatePrefix = lazyregexp.New(`^(?:(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)$`)

// Template is a repository creation template: with which settings Amazon ECR creates
// repositories itself. Its JSON form is stable: fields are only added.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
type Template struct {
	// Prefix is how the names of the repositories begin, or [RootPrefix].
	Prefix      string `json:"prefix"`
	Description string `json:"description,omitempty"`
	// AppliedFor says when: CREATE_ON_PUSH, REPLICATION, PULL_THROUGH_CACHE.
	AppliedFor           []string          `json:"appliedFor"`
	TagMutability        string            `json:"tagMutability"`
	MutabilityExclusions []string          `json:"mutabilityExclusions,omitempty"`
	Encryption           string            `json:"encryption"`
	KMSKey               string            `json:"kmsKey,omitempty"`
	ResourceTags         map[string]string `json:"resourceTags"`
	Policy               json.RawMessage   `json:"policy"`
	LifecyclePolicy      json.RawMessage   `json:"lifecyclePolicy"`
	// RoleARN is of the role with which Amazon ECR creates them: needed for KMS keys and
	// resource tags.
	RoleARN   string     `json:"customRoleArn,omitempty"`
	CreatedAt *time.Time `json:"createdAt,omitempty"`
	UpdatedAt *time.Time `json:"updatedAt,omitempty"`
}

// Mutability is that of the repositories.
func (t Template) Mutability() (Mutability, error) {
	return ParseMutability(t.TagMutability, t.MutabilityExclusions)
}

// Validate reports what Amazon ECR would refuse in any account.
func (t Template) Validate() error {
	_, err := t.Mutability()
	encryptions, purposes := types.EncryptionType("").Values(), types.RCTAppliedFor("").Values()
	switch {
	case !templatePrefix.MatchString(t.Prefix):
		return fmt.Errorf("template prefix %q is not the beginning of names of repositories, such as team or team/, nor %s", t.Prefix, RootPrefix)
	case len(t.AppliedFor) == 0:
		return fmt.Errorf("template %s is applied for nothing; name one of %v", t.Prefix, purposes)
	case err != nil:
		return fmt.Errorf("template %s: %w", t.Prefix, err)
	case !slices.Contains(encryptions, types.EncryptionType(t.Encryption)):
		return fmt.Errorf("template %s: encryption %s", t.Prefix, nearest.NotOneOf(t.Encryption, encryptions))
	case t.KMSKey != "" && t.Encryption == string(types.EncryptionTypeAes256):
		return fmt.Errorf("template %s: encryption %s takes no KMS key", t.Prefix, t.Encryption)
	}
	for _, purpose := range t.AppliedFor {
		if !slices.Contains(purposes, types.RCTAppliedFor(purpose)) {
			return fmt.Errorf("template %s: applied for: %s", t.Prefix, nearest.NotOneOf(purpose, purposes))
		}
	}
	return nil
}

// Equal reports whether both create the same repositories.
func (t Template) Equal(other Template) bool {
	m, err1 := t.Mutability()
	n, err2 := other.Mutability()
	return t.Prefix == other.Prefix && t.Description == other.Description && t.RoleARN == other.RoleARN &&
		slices.Equal(sorted(t.AppliedFor), sorted(other.AppliedFor)) &&
		err1 == nil && err2 == nil && m.Equal(n) &&
		t.Encryption == other.Encryption && t.KMSKey == other.KMSKey && maps.Equal(t.ResourceTags, other.ResourceTags) &&
		repopolicy.Same(t.Policy, other.Policy) && SameLifecyclePolicy(t.LifecyclePolicy, other.LifecyclePolicy)
}

const templatesObject = "repository creation templates"

// Templates reads those of the registry, by prefix. The error wraps [ErrOtherAccount].
func (r *Registry) Templates(ctx context.Context) ([]Template, error) {
	if err := r.checkAccount(ctx); err != nil {
		return nil, err
	}
	all := []Template{}
	pages := ecr.NewDescribeRepositoryCreationTemplatesPaginator(r.api, &ecr.DescribeRepositoryCreationTemplatesInput{},
		func(o *ecr.DescribeRepositoryCreationTemplatesPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.fail(templatesObject, "", err)
		}
		if err := r.checkOwner(page.RegistryId); err != nil {
			return nil, err
		}
		for _, from := range page.RepositoryCreationTemplates {
			t, err := newTemplate(from)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b Template) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return all, nil
}

// Template reads the one of a prefix. The error wraps [ErrNoTemplate] and
// [ErrOtherAccount].
func (r *Registry) Template(ctx context.Context, prefix string) (Template, error) {
	all, err := r.Templates(ctx)
	if err != nil {
		return Template{}, err
	}
	for _, t := range all {
		if t.Prefix == prefix {
			return t, nil
		}
	}
	return Template{}, r.noTemplate(prefix)
}

// hasTemplate reports whether the registry has the template t.
func (r *Registry) hasTemplate(ctx context.Context, t Template) bool {
	existing, err := r.Template(ctx, t.Prefix)
	return err == nil && existing.Equal(t)
}

func (r *Registry) noTemplate(prefix string) error {
	return fmt.Errorf("%w: %s in %s", ErrNoTemplate, prefix, r.Registry)
}

// CreateTemplate creates a template. If an answer was lost, the same one is taken for the
// one that the call has created.
func (r *Registry) CreateTemplate(ctx context.Context, t Template) error {
	m, err := r.beforeTemplate(ctx, t)
	if err != nil {
		return err
	}
	calling, earlier := awscalls.WithEarlier(ctx)
	_, err = r.api.CreateRepositoryCreationTemplate(calling, &ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String(t.Prefix), AppliedFor: purposes(t.AppliedFor), Description: given(t.Description), CustomRoleArn: given(t.RoleARN),
		EncryptionConfiguration: t.encryption(), ImageTagMutability: types.ImageTagMutability(m.Mode()), ImageTagMutabilityExclusionFilters: m.filters(),
		LifecyclePolicy: given(string(t.LifecyclePolicy)), RepositoryPolicy: given(string(t.Policy)), ResourceTags: resourceTags(t.ResourceTags),
	})
	var exists *types.TemplateAlreadyExistsException
	if errors.As(err, &exists) && earlier.MayHaveRun() && r.hasTemplate(ctx, t) {
		return nil
	}
	if err != nil {
		return r.fail("repository creation template "+t.Prefix, "", err)
	}
	return nil
}

// UpdateTemplate changes the template of a prefix into t. The error wraps
// [ErrNoTemplate].
func (r *Registry) UpdateTemplate(ctx context.Context, t Template) error {
	m, err := r.beforeTemplate(ctx, t)
	if err != nil {
		return err
	}
	tags := resourceTags(t.ResourceTags)
	if tags == nil {
		tags = []types.Tag{}
	}
	_, err = r.api.UpdateRepositoryCreationTemplate(ctx, &ecr.UpdateRepositoryCreationTemplateInput{
		Prefix: aws.String(t.Prefix), AppliedFor: purposes(t.AppliedFor), Description: aws.String(t.Description), CustomRoleArn: given(t.RoleARN),
		EncryptionConfiguration: t.encryption(), ImageTagMutability: types.ImageTagMutability(m.Mode()), ImageTagMutabilityExclusionFilters: m.filters(),
		LifecyclePolicy: given(string(t.LifecyclePolicy)), RepositoryPolicy: given(string(t.Policy)), ResourceTags: tags,
	})
	return r.failTemplate(t.Prefix, err)
}

// DeleteTemplate deletes the template of a prefix. Repositories stay. The error wraps
// [ErrNoTemplate].
func (r *Registry) DeleteTemplate(ctx context.Context, prefix string) error {
	if err := r.checkAccount(ctx); err != nil {
		return err
	}
	calling, earlier := awscalls.WithEarlier(ctx)
	_, err := r.api.DeleteRepositoryCreationTemplate(calling, &ecr.DeleteRepositoryCreationTemplateInput{Prefix: aws.String(prefix)})
	if err = r.failTemplate(prefix, err); errors.Is(err, ErrNoTemplate) && earlier.MayHaveRun() {
		return nil // an answer was lost
	}
	return err
}

func (r *Registry) failTemplate(prefix string, err error) error {
	var none *types.TemplateNotFoundException
	switch {
	case err == nil:
		return nil
	case errors.As(err, &none):
		return r.noTemplate(prefix)
	}
	return r.fail("repository creation template "+prefix, "", err)
}

func (r *Registry) beforeTemplate(ctx context.Context, t Template) (Mutability, error) {
	if err := t.Validate(); err != nil {
		return Mutability{}, err
	}
	if err := r.checkAccount(ctx); err != nil {
		return Mutability{}, err
	}
	return t.Mutability()
}

func newTemplate(from types.RepositoryCreationTemplate) (Template, error) {
	t := Template{
		Prefix: aws.ToString(from.Prefix), Description: aws.ToString(from.Description), RoleARN: aws.ToString(from.CustomRoleArn),
		TagMutability: string(from.ImageTagMutability), Encryption: string(types.EncryptionTypeAes256),
		AppliedFor: []string{}, ResourceTags: tagsOf(from.ResourceTags), CreatedAt: from.CreatedAt, UpdatedAt: from.UpdatedAt,
	}
	if t.TagMutability == "" {
		t.TagMutability = string(types.ImageTagMutabilityMutable)
	}
	for _, purpose := range from.AppliedFor {
		t.AppliedFor = append(t.AppliedFor, string(purpose))
	}
	for _, f := range from.ImageTagMutabilityExclusionFilters {
		t.MutabilityExclusions = append(t.MutabilityExclusions, aws.ToString(f.Filter))
	}
	if c := from.EncryptionConfiguration; c != nil {
		t.Encryption, t.KMSKey = string(c.EncryptionType), aws.ToString(c.KmsKey)
	}
	var err error
	if text := aws.ToString(from.RepositoryPolicy); text != "" {
		if t.Policy, err = document("repository policy of template "+t.Prefix, text); err != nil {
			return t, err
		}
	}
	if text := aws.ToString(from.LifecyclePolicy); text != "" {
		t.LifecyclePolicy, err = document("lifecycle policy of template "+t.Prefix, text)
	}
	return t, err
}

func (t Template) encryption() *types.EncryptionConfigurationForRepositoryCreationTemplate {
	return &types.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: types.EncryptionType(t.Encryption), KmsKey: given(t.KMSKey)}
}

func purposes(names []string) []types.RCTAppliedFor {
	var all []types.RCTAppliedFor
	for _, n := range names {
		all = append(all, types.RCTAppliedFor(n))
	}
	return all
}

// given is nil for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
