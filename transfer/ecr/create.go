package ecr

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
)

// creation is what is known of a repository that does not exist: what only reads,
// as a dry run, must not create it.
type creation struct {
	mu      sync.Mutex
	missing bool
	refused error // no template creates it, as far as the last check knows
	// denied is why CreateRepository was refused, which the next check of blobs does not change: each image would be refused again.
	denied error
	// unlisted reports whether its images could not be listed because it does not exist; the next check of blobs uses that once.
	unlisted bool
}

// absent reports whether an API call failed because the repository does not exist;
// then nothing is there yet, and the first write creates it.
func (e *Repository) absent(err error) bool {
	var missing *types.RepositoryNotFoundException
	if !errors.As(err, &missing) {
		return false
	}
	e.creation.set(true)
	return true
}

func (c *creation) set(missing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missing, c.refused = missing, nil
	if !missing {
		c.denied = nil
	}
}

// takeUnlisted reports whether a list has just found the repository missing, so that no blob needs to be asked for.
func (c *creation) takeUnlisted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	unlisted := c.unlisted
	if c.unlisted = false; unlisted {
		c.missing, c.refused = true, nil
	}
	return unlisted
}

// noteUnlisted notes that images could not be listed, with this error.
func (c *creation) noteUnlisted(err error) {
	var missing *types.RepositoryNotFoundException
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unlisted = errors.As(err, &missing)
}

// createsRepository reports whether the next write will create the repository.
func (e *Repository) createsRepository() bool { return e.Create != nil && e.isMissing() }

func (e *Repository) isMissing() bool {
	e.creation.mu.Lock()
	defer e.creation.mu.Unlock()
	return e.creation.missing
}

// CheckRepository returns a [RepositoryNotFoundError] if a call before has found the
// repository missing and e does not create it. Whether Amazon ECR does is not known
// before an upload.
func (e *Repository) CheckRepository() error {
	if e.Create == nil && e.isMissing() {
		return &RepositoryNotFoundError{Registry: e.registry, Repository: e.repository}
	}
	return nil
}

// createAbsent creates the repository if a call before has found it missing. That
// another process has created it in the meantime is fine. If no settings were asked for, a template of the registry may: first with
// Templates, else without the permission to create it.
func (e *Repository) createAbsent(ctx context.Context) error {
	e.creation.mu.Lock()
	defer e.creation.mu.Unlock()
	if !e.creation.missing || e.creation.refused != nil {
		return e.creation.refused
	}
	if e.Create == nil {
		return e.createByTemplate(ctx)
	}
	if e.creation.denied != nil {
		return e.creation.denied
	}
	if e.Templates != nil && !e.Create.IsSet() && e.Templates.mayCreate(ctx, e) {
		if e.createByTemplate(ctx) == nil {
			return nil
		}
		e.creation.refused = nil // by templates alone
	}
	var exists *RepositoryExistsError
	if _, err := e.CreateRepository(ctx, *e.Create); err != nil && !errors.As(err, &exists) {
		if e.Create.IsSet() || !isDenied(err) || e.createByTemplate(ctx) != nil {
			e.creation.refused = nil
			if isRefusal(err) {
				e.creation.denied = err
			}
			return err
		}
	}
	e.creation.missing = false
	return nil
}

// isRefusal reports whether the same request would be refused again: it is denied, or one of the errors that
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html has, without that of the service.
func isRefusal(err error) bool {
	var refused smithy.APIError
	return isDenied(err) || errors.As(err, &refused) && refused.ErrorFault() == smithy.FaultClient
}

func isDenied(err error) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && strings.HasPrefix(refused.ErrorCode(), "AccessDenied")
}

// createByTemplate has Amazon ECR create the repository, which it does when an upload
// begins if a template of the registry says so. No byte follows. Source:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html.
func (e *Repository) createByTemplate(ctx context.Context) error {
	_, err := e.api.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RegistryId: &e.registry.Account, RepositoryName: &e.repository})
	var missing *types.RepositoryNotFoundException
	switch {
	case errors.As(err, &missing):
		e.creation.refused = e.fail("creation", err)
		return e.creation.refused
	case err != nil:
		return e.fail("creation", err) // it may pass
	}
	e.creation.missing = false
	return nil
}

// creating makes an API call that writes, and again if the repository had to be
// created for it.
func creating[In, Out any](ctx context.Context, e *Repository, call func(context.Context, *In, ...func(*ecr.Options)) (*Out, error), in *In) (*Out, error) {
	out, err := call(ctx, in)
	if e.Create == nil || !e.absent(err) {
		return out, err
	}
	if err := e.createAbsent(ctx); err != nil {
		return nil, err
	}
	return call(ctx, in)
}
