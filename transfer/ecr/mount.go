package ecr

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// mount asks the registry to take a layer from another of its repositories. If it
// was asked and does not, upload is where the layer is to be sent.
func (e *Repository) mount(ctx context.Context, client *v2.Client, d content.Descriptor, from content.Source) (upload *url.URL, mounted bool, err error) {
	repository := e.mountable(from)
	mounted, err = e.v2.Mount(ctx, repository, func() (mounted bool, err error) {
		upload, mounted, err = client.Begin(ctx, e.repository, d.Digest, repository)
		return mounted, err
	})
	return upload, mounted, err
}

// mountable returns the repository that a layer of a source can be mounted from, "" if it
// is in none of the registry.
func (e *Repository) mountable(from content.Source) string {
	src, ok := from.(*Repository)
	if !ok || src.registry.Host != e.registry.Host || src.registry.Account != e.registry.Account || src.registry.Region != e.registry.Region || src.repository == e.repository {
		return ""
	}
	return src.repository
}

// SharesBlob reports whether Amazon ECR is to mount a layer from here in other repositories: the account allows it, and
// so do the permissions on this repository. Source:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html.
func (e *Repository) SharesBlob(ctx context.Context, d digest.Digest) bool {
	if e.V2 == nil || e.v2.IsUnusable(ctx) {
		return false
	}
	setting, err := e.api.GetAccountSetting(ctx, &ecr.GetAccountSettingInput{Name: aws.String("BLOB_MOUNTING")})
	if err != nil || aws.ToString(setting.Value) != "ENABLED" {
		return false
	}
	// What may not be pulled is not mounted. That the layer is not there, or that no image names it yet, is no refusal.
	_, err = e.api.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, LayerDigest: aws.String(string(d)),
	})
	return !isDenied(err)
}

// MountBlob has Amazon ECR mount a layer, if it does and there is a /v2/ to ask. That it
// refused another layer says nothing: the caller may guess where layers are.
func (e *Repository) MountBlob(ctx context.Context, d digest.Digest, from content.Source) (bool, error) {
	repository := e.mountable(from)
	if repository == "" || e.V2 == nil || e.v2.IsUnusable(ctx) {
		return false, nil
	}
	if err := e.createAbsent(ctx); err != nil {
		return false, err
	}
	client := v2.NewClient(e.registry.Scheme(), e.registry.Host, e.caller().Transport(e.V2, v2.Operation))
	_, mounted, err := client.Begin(ctx, e.repository, d, repository)
	return mounted, e.failV2(content.Descriptor{Digest: d}, err)
}
