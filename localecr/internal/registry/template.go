package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Source of the patterns and lengths: API reference of CreateRepositoryCreationTemplate.
var (
	templatePrefixPattern = lazyregexp.New(`^((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)$`)
	rolePattern           = lazyregexp.New(`^arn:aws(-[a-z]+)*:iam::([0-9]{12}):role/[\w+=,.@/-]+$`)
)

const (
	maxTemplatePrefix      = 256
	maxTemplateDescription = 256 // characters
	maxRoleARN             = 2048
	rootPrefix             = "ROOT" // for repositories that no other template is for
)

// bucketTemplates is where a registry has its templates: prefix without the / at its end →
// types.RepositoryCreationTemplate.
var bucketTemplates = []byte("repositoryCreationTemplates")

// templateKey is the key of a template's prefix. Errors: InvalidParameter.
func templateKey(prefix *string) ([]byte, error) {
	return prefixKey("prefix", prefix, 1, maxTemplatePrefix, templatePrefixPattern)
}

// prefixKey is the key of a prefix in a member of a request, behind which "there is always an assumed /". Errors:
// InvalidParameter.
func prefixKey(member string, prefix *string, least, most int, pattern lazyregexp.Regexp) ([]byte, error) {
	switch {
	case prefix == nil:
		return nil, invalidParameter(member, "must not be null")
	case len(*prefix) < least || len(*prefix) > most:
		return nil, invalidParameter(member, "must have a length between %d and %d", least, most)
	case !pattern.MatchString(*prefix):
		return nil, invalidParameter(member, "must satisfy regular expression '%s'", pattern)
	}
	return []byte(strings.TrimSuffix(*prefix, "/")), nil
}

// changeTemplate runs f on the template of a prefix, nil if there is none, and keeps what it returns;
// nil removes it.
func (r *Registry) changeTemplate(prefix *string, f func(*types.RepositoryCreationTemplate) (*types.RepositoryCreationTemplate, error)) error {
	key, err := templateKey(prefix)
	if err != nil {
		return err
	}
	return r.store.db.Update(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		if b, err = b.CreateBucketIfNotExists(bucketTemplates); err != nil {
			return err
		}
		var have types.RepositoryCreationTemplate
		ok, err := getJSON(b, key, &have)
		if err != nil {
			return err
		}
		before := &have
		if !ok {
			before = nil
		}
		after, err := f(before)
		switch {
		case err != nil:
			return err
		case after == nil:
			return b.Delete(key)
		}
		return putJSON(b, key, after)
	})
}

func (r *Registry) templateNotFound(prefix string) error {
	return &types.TemplateNotFoundException{Message: aws.String(fmt.Sprintf(
		"The repository creation template with prefix '%s' does not exist in the registry with id '%s'", prefix, r.account))}
}

// CreateRepositoryCreationTemplate makes a template of repositories that come into being by a push, by
// replication or by a pull through the cache. Errors: TemplateAlreadyExists, InvalidParameter.
func (r *Registry) CreateRepositoryCreationTemplate(_ context.Context, in *ecr.CreateRepositoryCreationTemplateInput) (*ecr.CreateRepositoryCreationTemplateOutput, error) {
	now := r.now()
	t := &types.RepositoryCreationTemplate{
		AppliedFor: in.AppliedFor, CreatedAt: &now, UpdatedAt: &now, CustomRoleArn: in.CustomRoleArn, Description: in.Description,
		EncryptionConfiguration: in.EncryptionConfiguration, ImageTagMutability: in.ImageTagMutability, ImageTagMutabilityExclusionFilters: in.ImageTagMutabilityExclusionFilters,
		LifecyclePolicy: in.LifecyclePolicy, Prefix: in.Prefix, RepositoryPolicy: in.RepositoryPolicy, ResourceTags: in.ResourceTags,
	}
	err := r.changeTemplate(in.Prefix, func(have *types.RepositoryCreationTemplate) (*types.RepositoryCreationTemplate, error) {
		if have != nil {
			return nil, &types.TemplateAlreadyExistsException{Message: aws.String(fmt.Sprintf(
				"The repository creation template with prefix '%s' already exists in the registry with id '%s'", *have.Prefix, r.account))}
		}
		return t, r.checkTemplate(t)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.CreateRepositoryCreationTemplateOutput{RegistryId: aws.String(r.account), RepositoryCreationTemplate: t}, nil
}

// UpdateRepositoryCreationTemplate changes what is given of a template: repositories that are there
// stay as they are. Errors: TemplateNotFound, InvalidParameter.
func (r *Registry) UpdateRepositoryCreationTemplate(_ context.Context, in *ecr.UpdateRepositoryCreationTemplateInput) (*ecr.UpdateRepositoryCreationTemplateOutput, error) {
	var t *types.RepositoryCreationTemplate
	err := r.changeTemplate(in.Prefix, func(have *types.RepositoryCreationTemplate) (*types.RepositoryCreationTemplate, error) {
		if t = have; t == nil {
			return nil, r.templateNotFound(*in.Prefix)
		}
		t.UpdatedAt = aws.Time(r.now())
		if in.AppliedFor != nil {
			t.AppliedFor = in.AppliedFor
		}
		for _, member := range []struct{ from, to **string }{
			{&in.CustomRoleArn, &t.CustomRoleArn}, {&in.Description, &t.Description}, {&in.LifecyclePolicy, &t.LifecyclePolicy}, {&in.RepositoryPolicy, &t.RepositoryPolicy},
		} {
			if *member.from != nil {
				*member.to = *member.from
			}
		}
		if in.EncryptionConfiguration != nil {
			t.EncryptionConfiguration = in.EncryptionConfiguration
		}
		if in.ImageTagMutability != "" {
			t.ImageTagMutability, t.ImageTagMutabilityExclusionFilters = in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters
		}
		if in.ResourceTags != nil {
			t.ResourceTags = in.ResourceTags
		}
		return t, r.checkTemplate(t)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.UpdateRepositoryCreationTemplateOutput{RegistryId: aws.String(r.account), RepositoryCreationTemplate: t}, nil
}

// DeleteRepositoryCreationTemplate removes a template and returns it. Errors: TemplateNotFound,
// InvalidParameter.
func (r *Registry) DeleteRepositoryCreationTemplate(_ context.Context, in *ecr.DeleteRepositoryCreationTemplateInput) (*ecr.DeleteRepositoryCreationTemplateOutput, error) {
	var t *types.RepositoryCreationTemplate
	err := r.changeTemplate(in.Prefix, func(have *types.RepositoryCreationTemplate) (*types.RepositoryCreationTemplate, error) {
		if t = have; t == nil {
			return nil, r.templateNotFound(*in.Prefix)
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryCreationTemplateOutput{RegistryId: aws.String(r.account), RepositoryCreationTemplate: t}, nil
}

// checkTemplate fills in the presets of a template and refuses what no repository could have.
func (r *Registry) checkTemplate(t *types.RepositoryCreationTemplate) (err error) {
	if len(t.AppliedFor) == 0 {
		return invalidParameter("appliedFor", "must not be empty")
	}
	for _, purpose := range t.AppliedFor {
		if !slices.Contains(purpose.Values(), purpose) {
			return invalidParameter("appliedFor", "must be one of %v", purpose.Values())
		}
	}
	if utf8.RuneCountInString(aws.ToString(t.Description)) > maxTemplateDescription {
		return invalidParameter("description", "must have at most %d characters", maxTemplateDescription)
	}
	if role := t.CustomRoleArn; role != nil {
		m := rolePattern.FindStringSubmatch(*role)
		switch {
		case len(*role) > maxRoleARN || m == nil:
			return invalidParameter("customRoleArn", "must be the ARN of a role, of at most %d characters", maxRoleARN)
		case m[2] != r.account:
			return invalidParameter("customRoleArn", "must be of the account of the registry, %s", r.account)
		}
	}
	if t.ImageTagMutability, t.ImageTagMutabilityExclusionFilters, err = checkMutability(t.ImageTagMutability, t.ImageTagMutabilityExclusionFilters); err != nil {
		return err
	}
	if t.EncryptionConfiguration == nil {
		t.EncryptionConfiguration = &types.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: types.EncryptionTypeAes256}
	}
	if _, _, err := r.checkEncryption((*types.EncryptionConfiguration)(t.EncryptionConfiguration)); err != nil {
		return err
	}
	if _, err := mergeTags(nil, t.ResourceTags); err != nil {
		return invalidParameter("resourceTags", "%s", err)
	}
	// "If you intend to use KMS keys, resource tags, or a combination of both […] you need to create an
	// IAM role" (user guide, creating a repository creation template).
	if t.CustomRoleArn == nil && (len(t.ResourceTags) > 0 || t.EncryptionConfiguration.KmsKey != nil) {
		return invalidParameter("customRoleArn", "must be given with resourceTags or a kmsKey")
	}
	if text := aws.ToString(t.LifecyclePolicy); text != "" {
		if _, err := parseLifecycle(&text); err != nil {
			return err
		}
	}
	if text := aws.ToString(t.RepositoryPolicy); text != "" {
		return checkRepositoryPolicy("repositoryPolicy", &text)
	}
	return nil
}

// DescribeRepositoryCreationTemplates lists the templates by prefix, or those of the given prefixes
// that are there. Errors: InvalidParameter.
func (r *Registry) DescribeRepositoryCreationTemplates(_ context.Context, in *ecr.DescribeRepositoryCreationTemplatesInput) (*ecr.DescribeRepositoryCreationTemplatesOutput, error) {
	p, err := newPage("DescribeRepositoryCreationTemplates", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, prefix := range in.Prefixes {
		key, err := templateKey(&prefix)
		if err != nil {
			return nil, err
		}
		wanted[string(key)] = true
	}
	out := &ecr.DescribeRepositoryCreationTemplatesOutput{RegistryId: aws.String(r.account), RepositoryCreationTemplates: []types.RepositoryCreationTemplate{}}
	err = r.store.db.View(func(tx *bolt.Tx) error {
		b, err := r.templates(tx)
		if err != nil || b == nil {
			return err
		}
		last, c := "", b.Cursor()
		for k, _ := seekAfter(c, p.after); k != nil; k, _ = c.Next() {
			if len(wanted) > 0 && !wanted[string(k)] {
				continue
			}
			if len(out.RepositoryCreationTemplates) == p.size {
				out.NextToken = p.next(last)
				return nil
			}
			var t types.RepositoryCreationTemplate
			if _, err := getJSON(b, k, &t); err != nil {
				return err
			}
			out.RepositoryCreationTemplates = append(out.RepositoryCreationTemplates, t)
			last = string(k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// templates is the bucket of the registry's templates, nil if it never had one.
func (r *Registry) templates(tx *bolt.Tx) (*bolt.Bucket, error) {
	b, err := r.bucket(tx)
	if err != nil || b == nil {
		return nil, err
	}
	return b.Bucket(bucketTemplates), nil
}

// createOnPush makes the repository into which a layer is pushed, if it is missing and a template
// for that matches: the one with the longest prefix. The caller does not hold store.blobs.
func (r *Registry) createOnPush(name *string) error {
	n, err := checkRepositoryName(name)
	if err != nil {
		return err
	}
	var template *types.RepositoryCreationTemplate
	err = r.store.db.View(func(tx *bolt.Tx) error {
		_, err := r.repository(tx, n)
		if err == nil {
			return nil
		}
		if err := ignoreNoRepository(err); err != nil {
			return err
		}
		template, err = r.templateFor(tx, n, types.RCTAppliedForCreateOnPush)
		return err
	})
	if err != nil || template == nil {
		return err
	}
	err = r.store.db.Update(func(tx *bolt.Tx) error { return r.createFrom(tx, n, template) })
	var exists *types.RepositoryAlreadyExistsException
	if errors.As(err, &exists) {
		return nil // another push was faster
	}
	return err
}

// prefixesOf returns the prefixes of a repository's name, the longest first, and ROOT.
func prefixesOf(name string) (prefixes []string) {
	for i, char := range name {
		if char == '/' {
			prefixes = append(prefixes, name[:i])
		}
	}
	slices.Reverse(prefixes)
	return append(prefixes, rootPrefix)
}

// templateFor finds the template for a repository that comes into being in a way, or nil.
func (r *Registry) templateFor(tx *bolt.Tx, name string, way types.RCTAppliedFor) (*types.RepositoryCreationTemplate, error) {
	b, err := r.templates(tx)
	if err != nil || b == nil {
		return nil, err
	}
	for _, prefix := range prefixesOf(name) {
		var t types.RepositoryCreationTemplate
		ok, err := getJSON(b, []byte(prefix), &t)
		if err != nil {
			return nil, err
		}
		if ok && slices.Contains(t.AppliedFor, way) {
			return &t, nil
		}
	}
	return nil, nil
}

// createFrom makes a repository of a template.
func (r *Registry) createFrom(tx *bolt.Tx, name string, t *types.RepositoryCreationTemplate) (err error) {
	rec := repositoryRecord{
		Name: name, CreatedAt: r.now(), Mutability: t.ImageTagMutability, Exclusions: t.ImageTagMutabilityExclusionFilters, Policy: aws.ToString(t.RepositoryPolicy),
	}
	if rec.EncryptionType, rec.KMSKey, err = r.checkEncryption((*types.EncryptionConfiguration)(t.EncryptionConfiguration)); err != nil {
		return err
	}
	if rec.Tags, err = mergeTags(nil, t.ResourceTags); err != nil {
		return err
	}
	repo, err := r.create(tx, rec)
	if err != nil {
		return err
	}
	if text := aws.ToString(t.LifecyclePolicy); text != "" {
		return repo.setLifecyclePolicy(text)
	}
	return nil
}
