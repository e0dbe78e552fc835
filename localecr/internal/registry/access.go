package registry

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
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

// authorizeReplication checks that the policy of the registry lets another account do an action with a repository.
func (r *Registry) authorizeReplication(tx *bolt.Tx, account, action, repository string) error {
	a, err := r.access(tx, "")
	if err != nil {
		return err
	}
	request := policy.Request{
		Principal: "arn:aws:iam::" + account + ":root", Action: action, Resource: r.repositoryARN(repository),
		Context: map[string][]string{"aws:principalaccount": {account}, "aws:requestedregion": {r.region}, "aws:resourceaccount": {r.account}},
	}
	decision := policy.NotConcerned
	for _, d := range a.Documents {
		decision = max(decision, d.Decide(request))
	}
	if decision == policy.Delegated || decision == policy.Allowed {
		return nil
	}
	return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "the policy of the registry does not allow " + action}
}
