// Package governance calls the operations of Amazon ECR that configure registries and
// repositories rather than move images. Each operation is a method of [Registry]. A
// [Desired] state is compared with the existing one and applied in steps.
//
// It fails closed: an answer that it does not understand, or that is about another
// registry than the one it asked for, is an error and never an empty result. Errors
// name the object and, where there is one, the next step.
package governance

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
	ecrrepo "github.com/ecrkit/ecrkit/transfer/ecr"
)

// ErrOtherAccount reports that the AWS identity in use belongs to another account than
// the registry.
var ErrOtherAccount = errors.New("the AWS identity in use belongs to another account")

// Registry is a private registry of Amazon ECR: that of an account in a region. Its
// methods may be called from several goroutines.
type Registry struct {
	auth.Registry
	cfg aws.Config
	api *ecr.Client
	sts *sts.Client
	kms *kms.Client
}

// New returns the private registry r. cfg is the AWS configuration for it, see
// [auth.AWS]. No call is made.
func New(cfg aws.Config, r auth.Registry) *Registry {
	return &Registry{
		Registry: r,
		cfg:      cfg,
		api: auth.NewClient(cfg, r, func(o *ecr.Options) {
			o.Logger = logging.Nop{} // it would write to stderr of answers that broke off
		}),
		sts: sts.NewFromConfig(cfg, auth.PreferEndpoint, func(o *sts.Options) {
			o.Logger = logging.Nop{}
			o.HTTPClient = awscalls.Use(retry.Default(), awscalls.Options{
				Retryer: &o.Retryer, MaxAttempts: &o.RetryMaxAttempts, APIOptions: &o.APIOptions, Credentials: o.Credentials,
			}, o.HTTPClient.Do)
		}),
		kms: kms.NewFromConfig(cfg, func(o *kms.Options) {
			awscalls.PreferEndpoint(o.BaseEndpoint, &o.EndpointOptions.UseFIPSEndpoint, &o.EndpointOptions.UseDualStackEndpoint)
			o.Logger = logging.Nop{}
			o.HTTPClient = awscalls.Use(retry.Default(), awscalls.Options{
				Retryer: &o.Retryer, MaxAttempts: &o.RetryMaxAttempts, APIOptions: &o.APIOptions, Credentials: o.Credentials,
			}, o.HTTPClient.Do)
		}),
	}
}

// checkAccount makes sure that the identity in use is of the registry's account. The
// operations on settings of a whole registry name none: they act on the caller's
// own, and would change the wrong one. It wants no permission:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html.
func (r *Registry) checkAccount(ctx context.Context) error {
	out, err := r.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("account of the AWS identity in use: %w", auth.Explain(r.Registry, err))
	}
	return r.checkOwner(out.Account)
}

// checkOwner checks the account that an answer says it is about.
func (r *Registry) checkOwner(account *string) error {
	if got := aws.ToString(account); got != r.Account {
		return fmt.Errorf("registry %s: %w, %s; its settings are changed and read by its own account only: use a profile or role of %s",
			r.Host, ErrOtherAccount, got, r.Account)
	}
	return nil
}

// fail makes the error of a call about an object, such as "signing status of
// HOST/app:1.2", one that a user understands. repository is where the object is, ""
// if that is the registry itself. The error wraps [content.ErrNotFound] if the
// repository or the image is missing.
func (r *Registry) fail(object, repository string, err error) error {
	var (
		noRepository *types.RepositoryNotFoundException
		noImage      *types.ImageNotFoundException
	)
	switch {
	case errors.As(err, &noRepository) && repository != "":
		return &ecrrepo.RepositoryNotFoundError{Registry: r.Registry, Repository: repository}
	case errors.As(err, &noImage):
		return fmt.Errorf("%s: %w", object, content.ErrNotFound)
	}
	return fmt.Errorf("%s: %w", object, auth.Explain(r.Registry, err))
}
