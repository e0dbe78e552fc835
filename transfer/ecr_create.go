package transfer

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// creation is whether a repository is to be created before anything is written:
// what only reads, as a dry run, must not create it.
type creation struct {
	mu  sync.Mutex
	due bool
}

// absent tells whether an API call failed because the repository does not exist,
// and it is to be created; then nothing is there yet.
func (e *ECR) absent(err error) bool {
	var missing *types.RepositoryNotFoundException
	if e.Create == nil || !errors.As(err, &missing) {
		return false
	}
	e.creation.mu.Lock()
	defer e.creation.mu.Unlock()
	e.creation.due = true
	return true
}

// createsRepository tells whether the next write will create the repository.
func (e *ECR) createsRepository() bool {
	e.creation.mu.Lock()
	defer e.creation.mu.Unlock()
	return e.creation.due
}

// createAbsent creates the repository if a call before has found it missing. That
// another process has created it in the meantime is fine.
func (e *ECR) createAbsent(ctx context.Context) error {
	e.creation.mu.Lock()
	defer e.creation.mu.Unlock()
	if !e.creation.due {
		return nil
	}
	var exists *RepositoryExistsError
	if _, err := e.CreateRepository(ctx, *e.Create); err != nil && !errors.As(err, &exists) {
		return err
	}
	e.creation.due = false
	return nil
}

// creating makes an API call that writes, and once more if the repository had to be
// created for it.
func creating[In, Out any](ctx context.Context, e *ECR, call func(context.Context, *In, ...func(*ecr.Options)) (*Out, error), in *In) (*Out, error) {
	out, err := call(ctx, in)
	if !e.absent(err) {
		return out, err
	}
	if err := e.createAbsent(ctx); err != nil {
		return nil, err
	}
	return call(ctx, in)
}
