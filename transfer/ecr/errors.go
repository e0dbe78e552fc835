package ecr

import (
	"fmt"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// RepositoryNotFoundError says that a registry has no repository of this name.
type RepositoryNotFoundError struct {
	Registry   auth.Registry
	Repository string
}

func (e *RepositoryNotFoundError) Error() string {
	return fmt.Sprintf("repository %s does not exist in %s; create it with `ecrkit repo create %s/%s`, or push with --create-repository",
		e.Repository, e.Registry, e.Registry.Host, e.Repository)
}

// Is makes the error an [content.ErrNotFound].
func (e *RepositoryNotFoundError) Is(target error) bool { return target == content.ErrNotFound }
