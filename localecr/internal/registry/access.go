package registry

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/localecr/internal/policy"
)

// Access is what a registry says about the access to one of its repositories.
type Access struct {
	Documents []*policy.Document // the policies of the registry and of the repository
	Tags      map[string]string  // of the repository
}

// Policies returns the policies and tags that decide about a call. The repository need not exist; "" is the registry
// itself.
func (r *Registry) Policies(_ context.Context, repository string) (a Access, err error) {
	err = r.store.db.View(func(tx *bolt.Tx) error {
		a, err = r.access(tx, repository)
		return err
	})
	return a, err
}

func (r *Registry) access(tx *bolt.Tx, repository string) (a Access, err error) {
	add := func(text string) {
		d, err := policy.ParseResource(text)
		if err != nil { // of an earlier version, which took more
			d = policy.DenyAll()
		}
		a.Documents = append(a.Documents, d)
	}
	text, err := r.registryPolicy(tx)
	var none *types.RegistryPolicyNotFoundException
	switch {
	case err == nil:
		add(*text)
	case !errors.As(err, &none):
		return a, err
	}
	if repository == "" {
		return a, nil
	}
	repo, err := r.repository(tx, repository)
	if err != nil {
		return a, ignoreNoRepository(err)
	}
	a.Tags = maps.Clone(repo.record.Tags)
	if repo.record.Policy != "" {
		add(repo.record.Policy)
	}
	return a, nil
}
