package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Account is an AWS account that the server knows.
type Account struct {
	ID    string // 12 digits
	Users []User
	Roles []Role
}

// User is an IAM user with one long-term key pair.
type User struct {
	Name            string
	AccessKeyID     string // 16 to 128 of A-Z, 0-9; ASIA… is kept for temporary keys
	SecretAccessKey string
	Policies        []string // JSON; nil: the user has none
}

// Role is an IAM role: who may assume it, in place of a trust policy.
type Role struct {
	Name string
	// ExternalID, if set, must be given to AssumeRole.
	ExternalID string
	// TrustedPrincipals are account IDs and ARNs (of an account's root, a user, a
	// role, or one session of a role) that may assume the role. Empty means every
	// principal of the role's own account.
	TrustedPrincipals []string
	// WebIdentity, if set, allows AssumeRoleWithWebIdentity.
	WebIdentity *WebIdentity
	Policies    []string // JSON; nil: the role has none
}

// WebIdentity selects the OpenID Connect tokens that may assume a role.
type WebIdentity struct {
	Issuer   string // as in the claim iss; empty: any; OwnIssuer
	Audience string // must be one of the claim aud
	// Subject is a pattern for the claim sub, in which * stands for any characters
	// ("/" too) and ? for one, as in IAM's StringLike. Empty: any.
	Subject string
}

// OwnIssuer, as the issuer of a WebIdentity, is the server's own.
const OwnIssuer = "local"

var (
	accountPattern    = lazyregexp.New(`^[0-9]{12}$`)
	namePattern       = lazyregexp.New(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	accessKeyPattern  = lazyregexp.New(`^[A-Z0-9]{16,128}$`)
	secretPattern     = lazyregexp.New(`^[!-~]{1,128}$`)
	externalIDPattern = lazyregexp.New(`^[A-Za-z0-9_+=,.@:/-]{2,}$`) // and at most 1224 characters
	principalPattern  = lazyregexp.New(`^arn:aws:(iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9_+=,.@-]+)|` +
		`sts::[0-9]{12}:assumed-role/[A-Za-z0-9_+=,.@-]+/[A-Za-z0-9_+=,.@-]+)$`)
)

// Validate reports the first thing that is wrong in a configuration. Secrets
// and access key IDs are not repeated in the error.
func Validate(accounts []Account) error {
	if len(accounts) == 0 {
		return fmt.Errorf("no account is configured: give at least one")
	}
	ids, keys := map[string]bool{}, map[string]string{}
	for _, a := range accounts {
		if !accountPattern.MatchString(a.ID) {
			return fmt.Errorf("account %q: the id must have 12 digits (in YAML, quote it)", a.ID)
		}
		if ids[a.ID] {
			return fmt.Errorf("account %s is configured twice: merge the two", a.ID)
		}
		ids[a.ID] = true
		names := map[string]bool{}
		for _, u := range a.Users {
			where := fmt.Sprintf("account %s, user %q", a.ID, u.Name)
			if err := u.validate(names); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
			if other := keys[u.AccessKeyID]; other != "" {
				return fmt.Errorf("%s has the same access_key_id as %s: access keys must be unique", where, other)
			}
			keys[u.AccessKeyID] = where
		}
		names = map[string]bool{}
		for _, r := range a.Roles {
			if err := r.validate(names); err != nil {
				return fmt.Errorf("account %s, role %q: %w", a.ID, r.Name, err)
			}
		}
	}
	return nil
}

func (u User) validate(names map[string]bool) error {
	switch {
	case !namePattern.MatchString(u.Name):
		return fmt.Errorf("the name must have 1 to 64 letters, digits or _+=,.@-")
	case names[u.Name]:
		return fmt.Errorf("the user is configured twice")
	case !accessKeyPattern.MatchString(u.AccessKeyID):
		return fmt.Errorf("access_key_id must have 16 to 128 upper-case letters or digits")
	case strings.HasPrefix(u.AccessKeyID, temporaryPrefix):
		return fmt.Errorf("access_key_id begins with %s, which is kept for temporary keys", temporaryPrefix)
	case !secretPattern.MatchString(u.SecretAccessKey):
		return fmt.Errorf("secret_access_key must have 1 to 128 printable characters without spaces")
	}
	names[u.Name] = true
	return nil
}

func (r Role) validate(names map[string]bool) error {
	switch {
	case !namePattern.MatchString(r.Name):
		return fmt.Errorf("the name must have 1 to 64 letters, digits or _+=,.@-")
	case names[r.Name]:
		return fmt.Errorf("the role is configured twice")
	case r.ExternalID != "" && !isExternalID(r.ExternalID):
		return fmt.Errorf("external_id must have 2 to 1224 letters, digits or _+=,.@:/-")
	case r.WebIdentity != nil && r.WebIdentity.Audience == "":
		return fmt.Errorf("web_identity needs an audience, for example sts.amazonaws.com")
	}
	bad := slices.IndexFunc(r.TrustedPrincipals, func(p string) bool {
		return !accountPattern.MatchString(p) && !principalPattern.MatchString(p)
	})
	if bad >= 0 {
		return fmt.Errorf("trusted principal %q is neither an account id nor the arn:aws:… of a root, user, role or role session", r.TrustedPrincipals[bad])
	}
	names[r.Name] = true
	return nil
}

func isExternalID(s string) bool { return len(s) <= 1224 && externalIDPattern.MatchString(s) }

// trusts reports whether p may assume the role of that account.
func (r Role) trusts(account string, p Principal) bool {
	if len(r.TrustedPrincipals) == 0 {
		return p.Account == account
	}
	return slices.ContainsFunc(r.TrustedPrincipals, func(trusted string) bool {
		if trusted == p.ARN || trusted == p.Account || trusted == "arn:aws:iam::"+p.Account+":root" {
			return true
		}
		role, isRole := strings.CutPrefix(trusted, "arn:aws:iam::"+p.Account+":role/")
		return isRole && strings.HasPrefix(p.ARN, "arn:aws:sts::"+p.Account+":assumed-role/"+role+"/")
	})
}
