package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// beginTime is how long the registry's /v2/ may take to begin an upload, or to mount a layer, before the ECR API does the
// work instead.
const beginTime = time.Minute

// boundBegin bounds what begins an upload by the registry's /v2/, unless nothing can take its place.
func (e *Repository) boundBegin(ctx context.Context) (context.Context, context.CancelFunc) {
	if e.Upload == UploadV2 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, beginTime)
}

// putV2 uploads or mounts a layer by the registry's /v2/, if that is how it goes
// there; if not, the caller does it by parts.
func (e *Repository) putV2(ctx context.Context, d content.Descriptor, data content.PartReader, how content.Upload) (done bool, err error) {
	if e.V2 == nil || e.v2.IsUnusable(ctx) {
		return false, nil
	}
	whole := e.usesV2(d)
	client := v2.NewClient(e.registry.Scheme(), e.registry.Host, e.caller().Transport(e.V2, v2.Operation))
	beginning, cancel := e.boundBegin(ctx)
	defer cancel()
	upload, mounted, err := e.mount(beginning, client, d, how.From)
	switch {
	case mounted:
		how.Mounted()
		return true, nil
	case err == nil && !whole:
		if e.Upload == UploadNative || e.Upload == UploadParts || !e.speed.measurable(d, data) || hasBegun(how) {
			return false, nil
		}
		return e.putFast(ctx, client, d, data, how, upload)
	case err == nil:
		return e.putWhole(ctx, client, d, data, how, upload, nil)
	}
	return e.orNative(ctx, d, err)
}

// orNative leaves to the ECR API what /v2/ did not begin to do because of err.
func (e *Repository) orNative(ctx context.Context, d content.Descriptor, err error) (done bool, _ error) {
	if e.Upload != UploadV2 && mayGoNative(ctx, err) {
		e.v2.SetUnusable(ctx)
		return false, nil
	}
	return true, e.failV2(d, err)
}

// putWhole uploads a layer by one PUT, to where a POST led if there was one, and
// leaves it to the ECR API if it does not go at a pace.
func (e *Repository) putWhole(ctx context.Context, client *v2.Client, d content.Descriptor, data content.PartReader, how content.Upload, upload *url.URL, pace *v2.Pace) (done bool, err error) {
	if upload == nil {
		beginning, cancel := e.boundBegin(ctx)
		defer cancel()
		if upload, _, err = client.Begin(beginning, e.repository, d.Digest, ""); err != nil {
			return e.orNative(ctx, d, err)
		}
	}
	err = client.PutBlob(ctx, e.repository, d, data, how, upload, v2.Put{Checked: true, Pace: pace})
	if errors.Is(err, v2.ErrSlow) {
		return false, nil
	}
	var refused *v2.Error
	if errors.As(err, &refused) && errors.Is(refused, content.ErrIntegrity) {
		err = cmp.Or(checkSource(ctx, d, data), err)
	}
	return true, e.failV2(d, err)
}

// mayGoNative reports whether the ECR API may do what /v2/ did not begin to do.
func mayGoNative(ctx context.Context, err error) bool {
	var refused *v2.Error
	if errors.As(err, &refused) {
		return refused.Code != "NAME_UNKNOWN"
	}
	return ctx.Err() == nil && !errors.Is(err, content.ErrIntegrity)
}

// failV2 makes the error of a request to /v2/ one that a user understands.
func (e *Repository) failV2(d content.Descriptor, err error) error {
	if err == nil {
		return nil
	}
	var refused *v2.Error
	if errors.As(err, &refused) && refused.Code == "NAME_UNKNOWN" {
		return &RepositoryNotFoundError{Registry: e.registry, Repository: e.repository}
	}
	var explained *auth.Error
	if errors.As(err, &explained) {
		err = explained
	}
	return fmt.Errorf("layer %s of repository %s: %w", d.Digest, e.repository, err)
}
