package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

const (
	maxExclusions      = 5
	maxExclusionLength = 128
	maxWildcards       = 2 // in one exclusion filter
)

// checkMutability returns the mode, MUTABLE if none is asked for, and its exclusion filters, which the
// two modes WITH_EXCLUSION need and the others refuse.
func checkMutability(m types.ImageTagMutability, filters []types.ImageTagMutabilityExclusionFilter) (types.ImageTagMutability, []types.ImageTagMutabilityExclusionFilter, error) {
	if m == "" {
		m = types.ImageTagMutabilityMutable
	}
	if !slices.Contains(m.Values(), m) {
		return "", nil, invalidParameter("imageTagMutability", "must be one of %v", m.Values())
	}
	const member = "imageTagMutabilityExclusionFilters"
	withExclusion := m == types.ImageTagMutabilityImmutableWithExclusion || m == types.ImageTagMutabilityMutableWithExclusion
	switch {
	case withExclusion && len(filters) == 0:
		return "", nil, invalidParameter(member, "must not be empty with imageTagMutability %s", m)
	case !withExclusion && len(filters) > 0:
		return "", nil, invalidParameter(member, "must be empty with imageTagMutability %s", m)
	case len(filters) > maxExclusions:
		return "", nil, invalidParameter(member, "must have at most %d members", maxExclusions)
	}
	for _, f := range filters {
		text := aws.ToString(f.Filter)
		switch {
		case f.FilterType != types.ImageTagMutabilityExclusionFilterTypeWildcard:
			return "", nil, invalidParameter(member+".filterType", "must be WILDCARD")
		case text == "" || len(text) > maxExclusionLength:
			return "", nil, invalidParameter(member+".filter", "must have a length between 1 and %d", maxExclusionLength)
		case strings.Count(text, "*") > maxWildcards:
			return "", nil, invalidParameter(member+".filter", "must have at most %d wildcards", maxWildcards)
		case strings.Trim(text, "*") != "" && !tagPattern.MatchString("_"+strings.ReplaceAll(text, "*", "")):
			return "", nil, invalidParameter(member+".filter", "must be made of the characters of a tag and *")
		}
	}
	return m, filters, nil
}

// mutable reports whether the tag may be moved to another image.
func (rec *repositoryRecord) mutable(tag string) bool {
	excluded := slices.ContainsFunc(rec.Exclusions, func(f types.ImageTagMutabilityExclusionFilter) bool {
		return matchWildcard(aws.ToString(f.Filter), tag)
	})
	switch rec.Mutability {
	case types.ImageTagMutabilityImmutable, types.ImageTagMutabilityImmutableWithExclusion:
		return excluded
	default:
		return !excluded
	}
}

// matchWildcard reports whether s matches pattern, in which * stands for any number of characters.
func matchWildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, ok = strings.Cut(rest, part)
		if !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// PutImageTagMutability sets the mode of a repository. Errors: RepositoryNotFound, InvalidParameter.
func (r *Registry) PutImageTagMutability(_ context.Context, in *ecr.PutImageTagMutabilityInput) (*ecr.PutImageTagMutabilityOutput, error) {
	if in.ImageTagMutability == "" {
		return nil, invalidParameter("imageTagMutability", "must not be null")
	}
	mode, filters, err := checkMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	err = r.update(in.RepositoryName, func(repo *repository) error {
		repo.record.Mutability, repo.record.Exclusions = mode, filters
		return repo.save()
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageTagMutabilityOutput{
		ImageTagMutability:                 mode,
		ImageTagMutabilityExclusionFilters: filters,
		RegistryId:                         aws.String(r.account),
		RepositoryName:                     in.RepositoryName,
	}, nil
}

// CheckTagMutable returns ImageTagAlreadyExists if an image has the tag and must keep it.
func (r *Registry) CheckTagMutable(_ context.Context, name, tag string) error {
	return r.view(&name, func(repo *repository) error {
		if repo.record.mutable(tag) || repo.tags().Get([]byte(tag)) == nil {
			return nil
		}
		return repo.immutableTag(tag)
	})
}

func (repo *repository) immutableTag(tag string) error {
	return &types.ImageTagAlreadyExistsException{Message: aws.String(fmt.Sprintf(
		"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, repo.record.Name))}
}
