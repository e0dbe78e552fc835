package registry

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// The exceptions are the SDK's; the texts are ECR's, as its users have reported them.

func invalidParameter(member, format string, args ...any) error {
	return &types.InvalidParameterException{Message: aws.String(fmt.Sprintf(
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", member, fmt.Sprintf(format, args...)))}
}

func (r *Registry) repositoryNotFound(name string) error {
	return &types.RepositoryNotFoundException{Message: aws.String(fmt.Sprintf(
		"The repository with name '%s' does not exist in the registry with id '%s'", name, r.account))}
}

func (r *Registry) imageNotFound(name string, id types.ImageIdentifier) error {
	return &types.ImageNotFoundException{Message: aws.String(fmt.Sprintf(
		"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
		orNull(id.ImageDigest), orNull(id.ImageTag), name, r.account))}
}

func (r *Registry) uploadNotFound(name, id string) error {
	return &types.UploadNotFoundException{Message: aws.String(fmt.Sprintf(
		"The upload with id '%s' does not exist in the repository with name '%s' in the registry with id '%s'", id, name, r.account))}
}

func (r *Registry) layersNotFound(name string, digests []string) error {
	return &types.LayersNotFoundException{Message: aws.String(fmt.Sprintf(
		"Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
		strings.Join(digests, ", "), name, r.account))}
}

func (r *Registry) invalidLayerPart(u uploadRecord, format string, args ...any) error {
	return &types.InvalidLayerPartException{
		Message:               aws.String(fmt.Sprintf(format, args...)),
		LastValidByteReceived: aws.Int64(u.Received - 1),
		RegistryId:            aws.String(r.account),
		RepositoryName:        aws.String(u.Repository),
		UploadId:              aws.String(u.ID),
	}
}

func limitExceeded(format string, args ...any) error {
	return &types.LimitExceededException{Message: aws.String(fmt.Sprintf(format, args...))}
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}
