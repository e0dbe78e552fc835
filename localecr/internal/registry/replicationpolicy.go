package registry

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

// allowsReplication reports whether the policy of the registry lets another account replicate into a
// repository: an Allow of ecr:ReplicateImage, and no Deny. Conditions, NotPrincipal, NotAction and
// NotResource are not evaluated: a statement that has one allows nothing, and denies. A policy that is not
// understood allows nothing.
func (r *Registry) allowsReplication(tx *bolt.Tx, account, repository string) (bool, error) {
	text, err := r.registryPolicy(tx)
	var none *types.RegistryPolicyNotFoundException
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	policy, err := repopolicy.Parse([]byte(*text))
	if err != nil {
		return false, nil
	}
	allowed := false
	for _, s := range policy.Statements {
		unclear := s.NotPrincipals != nil || s.NotActions != nil || s.NotResources != nil
		matches := unclear || concernsReplication(s, account, r.repositoryARN(repository))
		switch {
		case s.Effect == "Deny" && matches:
			return false, nil
		case s.Effect == "Allow" && matches && !unclear && len(s.Conditions) == 0:
			allowed = true
		}
	}
	return allowed, nil
}

// concernsReplication reports whether a statement is about an account that replicates into a repository.
func concernsReplication(s repopolicy.Statement, account, arn string) bool {
	return slices.ContainsFunc(s.Principals["AWS"], func(p string) bool {
		return p == "*" || p == account || strings.HasSuffix(p, ":iam::"+account+":root")
	}) && matchesPattern(s.Actions, "ecr:ReplicateImage") && matchesPattern(s.Resources, arn)
}

// wildcards leaves * and ? of what path.Match knows.
var wildcards = strings.NewReplacer("/", "\x00", "[", `\[`, `\`, `\\`)

// matchesPattern reports whether one of the patterns of a policy matches.
func matchesPattern(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(wildcards.Replace(pattern), strings.ReplaceAll(s, "/", "\x00"))
		return ok && err == nil
	})
}
