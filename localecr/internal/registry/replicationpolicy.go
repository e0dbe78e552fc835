package registry

import (
	"github.com/aws/smithy-go"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/localecr/internal/policy"
)

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
