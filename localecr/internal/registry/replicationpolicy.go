package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"
)

// allowsReplication reports whether the policy of the registry lets another account replicate into a
// repository: an Allow of ecr:ReplicateImage, and no Deny. Conditions, NotPrincipal, NotAction and
// NotResource are not evaluated: a statement that has one allows nothing, and denies.
func (r *Registry) allowsReplication(tx *bolt.Tx, account, repository string) (bool, error) {
	text, err := r.registryPolicy(tx)
	var none *types.RegistryPolicyNotFoundException
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var doc struct {
		Statement oneOrMore[replicationStatement]
	}
	if err := json.Unmarshal([]byte(*text), &doc); err != nil {
		return false, fmt.Errorf("registry policy of %s: %w", r.account, err)
	}
	allowed := false
	for _, s := range doc.Statement {
		matches := s.matches(account, r.repositoryARN(repository))
		switch {
		case s.Effect == "Deny" && matches:
			return false, nil
		case s.Effect == "Allow" && matches && len(s.Condition) == 0:
			allowed = true
		}
	}
	return allowed, nil
}

// replicationStatement is a statement of a registry policy.
type replicationStatement struct {
	Effect    string
	Principal json.RawMessage
	Action    oneOrMore[string]
	Resource  oneOrMore[string]
	Condition map[string]json.RawMessage

	NotPrincipal, NotAction, NotResource json.RawMessage
}

// wildcards leaves * and ? of what path.Match knows.
var wildcards = strings.NewReplacer("/", "\x00", "[", `\[`, `\`, `\\`)

// matches reports whether the statement is about an account that replicates into a repository.
func (s replicationStatement) matches(account, arn string) bool {
	if s.NotAction != nil || s.NotPrincipal != nil || s.NotResource != nil {
		return s.Effect == "Deny" // they are not evaluated
	}
	like := func(patterns []string, s string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			ok, err := path.Match(wildcards.Replace(pattern), wildcards.Replace(s))
			return ok && err == nil
		})
	}
	var principals struct{ AWS oneOrMore[string] }
	if string(s.Principal) == `"*"` {
		principals.AWS = []string{"*"}
	} else if json.Unmarshal(s.Principal, &principals) != nil {
		return false
	}
	return slices.ContainsFunc(principals.AWS, func(p string) bool {
		return p == "*" || p == account || strings.HasSuffix(p, ":iam::"+account+":root")
	}) && like(s.Action, "ecr:ReplicateImage") && like(s.Resource, arn)
}

// oneOrMore is a value of a policy, which may be a list.
type oneOrMore[T any] []T

// UnmarshalJSON reads one value or a list.
func (l *oneOrMore[T]) UnmarshalJSON(data []byte) error {
	var list []T
	if json.Unmarshal(data, &list) == nil {
		*l = list
		return nil
	}
	var one T
	err := json.Unmarshal(data, &one)
	*l = []T{one}
	return err
}
