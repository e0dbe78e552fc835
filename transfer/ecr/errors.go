package ecr

import (
	"fmt"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// RepositoryNotFoundError reports that a registry does not have a repository of this
// name. It is a [content.ErrNotFound].
type RepositoryNotFoundError struct {
	Registry   auth.Registry
	Repository string
}

func (e *RepositoryNotFoundError) Error() string {
	return fmt.Sprintf("repository %s does not exist in %s", e.Repository, e.Registry)
}

// Is makes the error a [content.ErrNotFound].
func (e *RepositoryNotFoundError) Is(target error) bool { return target == content.ErrNotFound }
