package identity

import (
	"fmt"

	"github.com/ecrkit/ecrkit/localecr/internal/policy"
)

// everything is the policy of the users and roles of an account in which nobody has policies.
const everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// accountPolicies are the policies of the users and roles of an account, by the ARN of the user or role.
type accountPolicies map[string][]*policy.Document

// readPolicies reads the policies of all users and roles, by the ID of their account. Accounts in which nobody has policies
// are not in it; it is nil if there are no others.
func readPolicies(accounts []Account) (map[string]accountPolicies, error) {
	var all map[string]accountPolicies
	for _, a := range accounts {
		read, some := accountPolicies{}, false
		add := func(kind, name string, texts []string) error {
			some = some || texts != nil
			arn := "arn:aws:iam::" + a.ID + ":" + kind + "/" + name
			for i, text := range texts {
				d, err := policy.ParseIdentity(text)
				if err != nil {
					return fmt.Errorf("account %s, %s %q, policy %d: %w", a.ID, kind, name, i+1, err)
				}
				read[arn] = append(read[arn], d)
			}
			return nil
		}
		for _, u := range a.Users {
			if err := add("user", u.Name, u.Policies); err != nil {
				return nil, err
			}
		}
		for _, r := range a.Roles {
			if err := add("role", r.Name, r.Policies); err != nil {
				return nil, err
			}
		}
		if some && all == nil {
			all = map[string]accountPolicies{}
		}
		if some {
			all[a.ID] = read
		}
	}
	return all, nil
}

// PoliciesEvaluated reports whether a user or role has policies, so that policies decide what callers may do.
func (ids *Identities) PoliciesEvaluated() bool { return ids.policies != nil }

// Policies returns the policies of a caller.
func (ids *Identities) Policies(p Principal) []*policy.Document {
	account, ok := ids.policies[p.Account]
	if !ok {
		return []*policy.Document{ids.everything}
	}
	if role := policy.RoleOf(p.ARN); role != "" {
		return account[role]
	}
	return account[p.ARN]
}
