package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Limits of resource tags (Amazon ECR user guide, tag restrictions), in characters.
const (
	maxResourceTags = 50
	maxTagKey       = 128
	maxTagValue     = 256
)

// mergeTags adds tags to those a resource has. Errors: InvalidTagParameter, TooManyTags. AWS documents that "each tag key must
// be unique" (user guide, tag restrictions), but not what it answers to a call that has one twice: it is refused here.
func mergeTags(have map[string]string, tags []types.Tag) (map[string]string, error) {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	keys := map[string]bool{} // of the call
	for _, t := range tags {
		key, value := aws.ToString(t.Key), aws.ToString(t.Value)
		invalid := ""
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey:
			invalid = fmt.Sprintf("tag key '%s' must have a length between 1 and %d", key, maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue:
			invalid = fmt.Sprintf("the value of tag '%s' must have at most %d characters", key, maxTagValue)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			invalid = fmt.Sprintf("tag key '%s' must not begin with aws:, which is reserved", key)
		case keys[key]:
			invalid = fmt.Sprintf("tag key '%s' must be unique", key)
		}
		if invalid != "" {
			return nil, &types.InvalidTagParameterException{Message: aws.String("Invalid parameter at 'tags': " + invalid)}
		}
		keys[key], out[key] = true, value
	}
	if len(out) > maxResourceTags {
		return nil, &types.TooManyTagsException{Message: aws.String(fmt.Sprintf("A resource can have at most %d tags", maxResourceTags))}
	}
	return out, nil
}

// repositoryOfARN returns the name of the repository that an ARN of this registry names.
func (r *Registry) repositoryOfARN(arn *string) (*string, error) {
	prefix := r.repositoryARN("")
	name, ok := strings.CutPrefix(aws.ToString(arn), prefix)
	if !ok {
		return nil, invalidParameter("resourceArn", "must be the ARN of a repository of this registry, %sNAME", prefix)
	}
	return &name, nil
}

// TagResource adds tags to a repository. Errors: RepositoryNotFound, InvalidTagParameter, TooManyTags.
func (r *Registry) TagResource(_ context.Context, in *ecr.TagResourceInput) (*ecr.TagResourceOutput, error) {
	name, err := r.repositoryOfARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = r.update(name, func(repo *repository) error {
		tags, err := mergeTags(repo.record.Tags, in.Tags)
		if err != nil {
			return err
		}
		repo.record.Tags = tags
		return repo.save()
	})
	if err != nil {
		return nil, err
	}
	return &ecr.TagResourceOutput{}, nil
}

// UntagResource removes tags from a repository; keys it does not have are ignored. Errors:
// RepositoryNotFound.
func (r *Registry) UntagResource(_ context.Context, in *ecr.UntagResourceInput) (*ecr.UntagResourceOutput, error) {
	name, err := r.repositoryOfARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = r.update(name, func(repo *repository) error {
		for _, key := range in.TagKeys {
			delete(repo.record.Tags, key)
		}
		return repo.save()
	})
	if err != nil {
		return nil, err
	}
	return &ecr.UntagResourceOutput{}, nil
}

// ListTagsForResource lists the tags of a repository by key. Errors: RepositoryNotFound.
func (r *Registry) ListTagsForResource(_ context.Context, in *ecr.ListTagsForResourceInput) (*ecr.ListTagsForResourceOutput, error) {
	name, err := r.repositoryOfARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListTagsForResourceOutput{Tags: []types.Tag{}}
	err = r.view(name, func(repo *repository) error {
		for _, key := range slices.Sorted(maps.Keys(repo.record.Tags)) {
			out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(repo.record.Tags[key])})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
