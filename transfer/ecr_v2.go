package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/ecrkit/ecrkit/auth"
)

// putV2 uploads or mounts a layer by the registry's /v2/, if that is how it goes
// there; if not, the caller does it by parts.
func (e *ECR) putV2(ctx context.Context, d Descriptor, content layerContent, how uploads) (done bool, err error) {
	if e.V2 == nil || e.v2.isUnusable() {
		return false, nil
	}
	whole := e.usesV2(d)
	client := newV2Client(e.registry.Scheme(), e.registry.Host, e.caller().transport(e.V2, v2Operation))
	upload, mounted, err := e.mount(ctx, client, d, how.from)
	switch {
	case mounted:
		how.mounted()
		return true, nil
	case err == nil && !whole:
		return false, nil
	case err == nil && upload == nil:
		upload, _, err = client.begin(ctx, e.repository, d.Digest, "")
	}
	if err == nil {
		err = client.putBlob(ctx, e.repository, d, content, how, upload)
		return true, e.failV2(d, err)
	}
	if e.Upload != UploadV2 && mayGoNative(ctx, err) {
		e.v2.setUnusable()
		return false, nil
	}
	return true, e.failV2(d, err)
}

// mayGoNative tells whether the ECR API may do what /v2/ did not begin to do.
func mayGoNative(ctx context.Context, err error) bool {
	var refused *v2Error
	if errors.As(err, &refused) {
		return refused.code != "NAME_UNKNOWN"
	}
	return ctx.Err() == nil && !errors.Is(err, ErrIntegrity)
}

// failV2 makes the error of a request to /v2/ one that a user understands.
func (e *ECR) failV2(d Descriptor, err error) error {
	if err == nil {
		return nil
	}
	var refused *v2Error
	if errors.As(err, &refused) && refused.code == "NAME_UNKNOWN" {
		return &RepositoryNotFoundError{Registry: e.registry, Repository: e.repository}
	}
	var explained *auth.Error
	if errors.As(err, &explained) {
		err = explained
	}
	return fmt.Errorf("layer %s of repository %s: %w", d.Digest, e.repository, err)
}

// mount asks the registry to take a layer from another of its repositories. If it
// was asked and does not, upload is where the layer is to be sent.
func (e *ECR) mount(ctx context.Context, client *v2Client, d Descriptor, from Source) (upload *url.URL, mounted bool, err error) {
	var repository string
	src, ok := from.(*ECR)
	if ok && src.registry.Host == e.registry.Host && src.registry.Account == e.registry.Account && src.registry.Region == e.registry.Region && src.repository != e.repository {
		repository = src.repository
	}
	mounted, err = e.v2.mount(ctx, repository, func() (mounted bool, err error) {
		upload, mounted, err = client.begin(ctx, e.repository, d.Digest, repository)
		return mounted, err
	})
	return upload, mounted, err
}
