package localecr

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// operations are those of ECR that the server has; UploadLayerPart is among them for its name only,
// since its body is not read as a whole.
var operations = map[string]operation{
	"BatchCheckLayerAvailability":             on((*registry.Registry).BatchCheckLayerAvailability),
	"BatchDeleteImage":                        on((*registry.Registry).BatchDeleteImage),
	"BatchGetImage":                           batchGetImage,
	"BatchGetRepositoryScanningConfiguration": on((*registry.Registry).BatchGetRepositoryScanningConfiguration),
	"CompleteLayerUpload":                     on((*registry.Registry).CompleteLayerUpload),
	"CreatePullThroughCacheRule":              on((*registry.Registry).CreatePullThroughCacheRule),
	"CreateRepository":                        on((*registry.Registry).CreateRepository),
	"CreateRepositoryCreationTemplate":        on((*registry.Registry).CreateRepositoryCreationTemplate),
	"DeleteLifecyclePolicy":                   on((*registry.Registry).DeleteLifecyclePolicy),
	"DeletePullThroughCacheRule":              on((*registry.Registry).DeletePullThroughCacheRule),
	"DeleteRegistryPolicy":                    on((*registry.Registry).DeleteRegistryPolicy),
	"DeleteRepository":                        on((*registry.Registry).DeleteRepository),
	"DeleteRepositoryCreationTemplate":        on((*registry.Registry).DeleteRepositoryCreationTemplate),
	"DeleteRepositoryPolicy":                  on((*registry.Registry).DeleteRepositoryPolicy),
	"DeleteSigningConfiguration":              on((*registry.Registry).DeleteSigningConfiguration),
	"DeregisterPullTimeUpdateExclusion":       on((*registry.Registry).DeregisterPullTimeUpdateExclusion),
	"DescribeImageReplicationStatus":          on((*registry.Registry).DescribeImageReplicationStatus),
	"DescribeImageScanFindings":               on((*registry.Registry).DescribeImageScanFindings),
	"DescribeImageSigningStatus":              on((*registry.Registry).DescribeImageSigningStatus),
	"DescribeImages":                          on((*registry.Registry).DescribeImages),
	"DescribePullThroughCacheRules":           on((*registry.Registry).DescribePullThroughCacheRules),
	"DescribeRegistry":                        on((*registry.Registry).DescribeRegistry),
	"DescribeReplicationBackfillResults":      on((*registry.Registry).DescribeReplicationBackfillResults),
	"DescribeRepositories":                    on((*registry.Registry).DescribeRepositories),
	"DescribeRepositoryCreationTemplates":     on((*registry.Registry).DescribeRepositoryCreationTemplates),
	"GetAccountSetting":                       on((*registry.Registry).GetAccountSetting),
	"GetAuthorizationToken":                   getAuthorizationToken,
	"GetDownloadUrlForLayer":                  getDownloadURLForLayer,
	"GetLifecyclePolicy":                      on((*registry.Registry).GetLifecyclePolicy),
	"GetLifecyclePolicyPreview":               on((*registry.Registry).GetLifecyclePolicyPreview),
	"GetRegistryPolicy":                       on((*registry.Registry).GetRegistryPolicy),
	"GetRegistryScanningConfiguration":        on((*registry.Registry).GetRegistryScanningConfiguration),
	"GetRepositoryPolicy":                     on((*registry.Registry).GetRepositoryPolicy),
	"GetSigningConfiguration":                 on((*registry.Registry).GetSigningConfiguration),
	"InitiateLayerUpload":                     on((*registry.Registry).InitiateLayerUpload),
	"ListImageReferrers":                      on((*registry.Registry).ListImageReferrers),
	"ListImages":                              on((*registry.Registry).ListImages),
	"ListPullTimeUpdateExclusions":            on((*registry.Registry).ListPullTimeUpdateExclusions),
	"ListReplicationBackfills":                on((*registry.Registry).ListReplicationBackfills),
	"ListTagsForResource":                     on((*registry.Registry).ListTagsForResource),
	"PutAccountSetting":                       on((*registry.Registry).PutAccountSetting),
	"PutImage":                                putImage,
	"PutImageScanningConfiguration":           on((*registry.Registry).PutImageScanningConfiguration),
	"PutImageTagMutability":                   on((*registry.Registry).PutImageTagMutability),
	"PutLifecyclePolicy":                      on((*registry.Registry).PutLifecyclePolicy),
	"PutRegistryPolicy":                       on((*registry.Registry).PutRegistryPolicy),
	"PutRegistryScanningConfiguration":        on((*registry.Registry).PutRegistryScanningConfiguration),
	"PutReplicationConfiguration":             on((*registry.Registry).PutReplicationConfiguration),
	"PutSigningConfiguration":                 on((*registry.Registry).PutSigningConfiguration),
	"RegisterPullTimeUpdateExclusion":         on((*registry.Registry).RegisterPullTimeUpdateExclusion),
	"SetRepositoryPolicy":                     on((*registry.Registry).SetRepositoryPolicy),
	"StartImageScan":                          on((*registry.Registry).StartImageScan),
	"StartLifecyclePolicyPreview":             on((*registry.Registry).StartLifecyclePolicyPreview),
	"StartReplicationBackfill":                on((*registry.Registry).StartReplicationBackfill),
	"StopReplicationBackfill":                 on((*registry.Registry).StopReplicationBackfill),
	"TagResource":                             on((*registry.Registry).TagResource),
	"UntagResource":                           on((*registry.Registry).UntagResource),
	"UpdateImageStorageClass":                 on((*registry.Registry).UpdateImageStorageClass),
	"UpdatePullThroughCacheRule":              on((*registry.Registry).UpdatePullThroughCacheRule),
	"UpdateRepositoryCreationTemplate":        on((*registry.Registry).UpdateRepositoryCreationTemplate),
	"UploadLayerPart":                         nil,
	"ValidatePullThroughCacheRule":            validatePullThroughCacheRule,
}

// maxImageIDs is how many images one BatchGetImage may name (API reference).
const maxImageIDs = 100

// maxRegistryIDs is how many registries one GetAuthorizationToken may name (API reference).
const maxRegistryIDs = 10

func getAuthorizationToken(_ context.Context, x *exchange, body []byte) (any, error) {
	in := new(ecr.GetAuthorizationTokenInput)
	if err := x.decodeECR(body, in); err != nil {
		return nil, err
	}
	ids := in.RegistryIds //lint:ignore SA1019 deprecated, but still sent
	if len(ids) > maxRegistryIDs {
		return nil, &types.InvalidParameterException{Message: aws.String(fmt.Sprintf(
			"Invalid parameter at 'registryIds' failed to satisfy constraint: 'must have a length between 1 and %d'", maxRegistryIDs))}
	}
	if len(ids) == 0 {
		ids = []string{x.principal.Account}
	}
	out := &ecr.GetAuthorizationTokenOutput{}
	for _, id := range ids {
		token, expires := x.server.identities().IssueToken(x.principal, x.region, x.server.clock.Now())
		out.AuthorizationData = append(out.AuthorizationData, types.AuthorizationData{
			AuthorizationToken: aws.String(token),
			ExpiresAt:          aws.Time(expires),
			ProxyEndpoint:      aws.String(schemeOf(x.r) + "://" + x.server.registryHost(x.r.Host, id, x.region)),
		})
	}
	return out, nil
}

// batchGetImage is a pull, through the cache if a rule is for the repository. The registry keeps its time.
func batchGetImage(ctx context.Context, x *exchange, body []byte) (any, error) {
	in := new(ecr.BatchGetImageInput)
	if err := x.decodeECR(body, in); err != nil {
		return nil, err
	}
	var failures []types.ImageFailure
	wanted := in.ImageIds
	if len(wanted) > maxImageIDs { // which the registry refuses
		wanted = nil
	} else {
		in.ImageIds = nil
	}
	for _, id := range wanted {
		failure, err := x.pullThrough(ctx, aws.ToString(in.RepositoryName), id)
		switch {
		case err != nil:
			return nil, err
		case failure != nil:
			failures = append(failures, *failure)
		default:
			in.ImageIds = append(in.ImageIds, id)
		}
	}
	if len(failures) > 0 && len(in.ImageIds) == 0 {
		return &ecr.BatchGetImageOutput{Images: []types.Image{}, Failures: failures}, nil
	}
	out, err := x.registry().BatchGetImage(ctx, in)
	if err != nil {
		return nil, err
	}
	out.Failures = append(out.Failures, failures...)
	return out, x.registry().RecordPull(ctx, *in.RepositoryName, x.principal.ARN, out.Images)
}

// putImage differs from that of /v2/ in what it answers to an image that exists.
func putImage(ctx context.Context, x *exchange, body []byte) (any, error) {
	in := new(ecr.PutImageInput)
	if err := x.decodeECR(body, in); err != nil {
		return nil, err
	}
	out, err := x.registry().PutImage(ctx, in)
	var exists *types.ImageAlreadyExistsException
	if errors.As(err, &exists) && in.ImageTag != nil && !x.server.quirk(QuirkImmutableImageExists) {
		err = errors.Join(x.registry().CheckTagMutable(ctx, *in.RepositoryName, *in.ImageTag), err)
	}
	if err != nil {
		return nil, err
	}
	x.note(out)
	return out, nil
}

func getDownloadURLForLayer(ctx context.Context, x *exchange, body []byte) (any, error) {
	in := new(ecr.GetDownloadUrlForLayerInput)
	if err := x.decodeECR(body, in); err != nil {
		return nil, err
	}
	if err := x.registry().CheckDownload(ctx, in); err != nil {
		return nil, err
	}
	url, err := x.downloadURL(*in.LayerDigest)
	if err != nil {
		return nil, err
	}
	return &ecr.GetDownloadUrlForLayerOutput{DownloadUrl: aws.String(url), LayerDigest: in.LayerDigest}, nil
}
