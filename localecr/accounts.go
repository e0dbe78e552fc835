package localecr

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// DefaultRegion is the region of the default registry: the one that a host name without account and region stands for.
const DefaultRegion = "us-east-1"

// An Account is an AWS account with its IAM users and roles. Its keys and its ID are checked by [New].
type Account struct {
	ID    string `json:"id" yaml:"id"` // 12 digits
	Users []User `json:"users,omitempty" yaml:"users,omitempty"`
	Roles []Role `json:"roles,omitempty" yaml:"roles,omitempty"`
}

// A User is an IAM user with one access key.
type User struct {
	Name            string `json:"name" yaml:"name"`
	AccessKeyID     string `json:"access_key_id" yaml:"access_key_id"` // 16 to 128 of A-Z and 0-9; ASIA… is reserved for temporary keys
	SecretAccessKey string `json:"secret_access_key" yaml:"secret_access_key"`
	// Policies are what the user may do. If no user and no role of any account has policies, none is evaluated: everyone
	// may do everything in their own account. Otherwise repository and registry policies count too; the users and roles
	// of an account in which nobody has policies may do everything there, and those without policies in any other account
	// only what a repository or registry policy allows them.
	Policies []Policy `json:"policies,omitempty" yaml:"policies,omitempty"`
}

// A Policy is the JSON of an IAM policy. In a file it is an object, or a text that has the JSON.
type Policy string

// UnmarshalYAML reads an object or a text.
func (p *Policy) UnmarshalYAML(unmarshal func(any) error) error {
	var document any
	if err := unmarshal(&document); err != nil {
		return err
	}
	if text, ok := document.(string); ok {
		*p = Policy(text)
		return nil
	}
	text, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	*p = Policy(text)
	return nil
}

// UnmarshalJSON reads an object or a text.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	*p = Policy(text)
	return nil
}

// A Role is an IAM role. In place of a trust policy it lists who may assume it.
type Role struct {
	Name string `json:"name" yaml:"name"`
	// ExternalID, unless empty, must be passed to AssumeRole.
	ExternalID string `json:"external_id,omitempty" yaml:"external_id,omitempty"`
	// TrustedPrincipals are account IDs, and ARNs of an account's root, a user, a role or a role session. Empty means
	// every principal of the role's own account.
	TrustedPrincipals []string `json:"trusted_principals,omitempty" yaml:"trusted_principals,omitempty"`
	// WebIdentity, if set, allows AssumeRoleWithWebIdentity.
	WebIdentity *WebIdentity `json:"web_identity,omitempty" yaml:"web_identity,omitempty"`
	// Policies are what sessions of the role may do; see [User].
	Policies []Policy `json:"policies,omitempty" yaml:"policies,omitempty"`
}

// LocalIssuer, as the issuer of a [WebIdentity], accepts only tokens of the server's own issuer.
const LocalIssuer = identity.OwnIssuer

// A WebIdentity describes the OpenID Connect tokens that may assume a role.
type WebIdentity struct {
	Issuer   string `json:"issuer,omitempty" yaml:"issuer,omitempty"` // the claim iss; LocalIssuer; empty for any
	Audience string `json:"audience" yaml:"audience"`                 // one of the claim aud
	// Subject is a pattern for the claim sub, in which * stands for any characters, "/" included, and ? for one, as in
	// IAM's StringLike. Empty means any.
	Subject string `json:"subject,omitempty" yaml:"subject,omitempty"`
}

// DefaultAccounts returns one account, 000000000000, with a user and a role, both called ecrkit. The user's access key
// is published: it protects nothing.
func DefaultAccounts() []Account {
	return []Account{{
		ID:    "000000000000",
		Users: []User{{Name: "ecrkit", AccessKeyID: "AKIAECRKITLOCALFAKE0", SecretAccessKey: "ecrkit+local/this+key+pair+is+not+secret"}},
		Roles: []Role{{Name: "ecrkit", WebIdentity: &WebIdentity{Audience: "sts.amazonaws.com"}}},
	}}
}

// callers are those who may call the server.
type callers struct {
	accounts   []Account
	identities *identity.Identities
}

func (s *Server) accounts() []Account              { return s.callers.Load().accounts }
func (s *Server) identities() *identity.Identities { return s.callers.Load().identities }

// SetAccounts replaces the accounts while the server runs. The first one has the default registry, and so its ID cannot
// change. Tokens and temporary keys of users and roles that remain stay valid. After an error the accounts are as
// they were.
func (s *Server) SetAccounts(accounts []Account) error {
	if len(accounts) > 0 && accounts[0].ID != s.account {
		return fmt.Errorf("accounts of the local ECR: the first account must remain %s, which has the default registry", s.account)
	}
	return s.setCallers(accounts)
}

// CheckAccounts returns an error for the first account, user, role or policy that [New] would refuse.
func CheckAccounts(accounts []Account) error {
	_, err := identity.New(identityAccounts(accounts), make([]byte, 32), time.Now)
	return err
}

func (s *Server) setCallers(accounts []Account) error {
	identities, err := identity.New(identityAccounts(accounts), s.key, s.clock.Now)
	if err != nil {
		return fmt.Errorf("accounts of the local ECR: %w", err)
	}
	s.callers.Store(&callers{accounts, identities})
	return nil
}

// identityAccounts returns the accounts as package identity checks and uses them.
func identityAccounts(accounts []Account) []identity.Account {
	out := make([]identity.Account, len(accounts))
	for i, a := range accounts {
		out[i].ID = a.ID
		for _, u := range a.Users {
			out[i].Users = append(out[i].Users, identity.User{Name: u.Name, AccessKeyID: u.AccessKeyID, SecretAccessKey: u.SecretAccessKey, Policies: texts(u.Policies)})
		}
		for _, r := range a.Roles {
			role := identity.Role{Name: r.Name, ExternalID: r.ExternalID, TrustedPrincipals: r.TrustedPrincipals, Policies: texts(r.Policies)}
			if r.WebIdentity != nil {
				web := identity.WebIdentity(*r.WebIdentity)
				role.WebIdentity = &web
			}
			out[i].Roles = append(out[i].Roles, role)
		}
	}
	return out
}

func texts(policies []Policy) []string {
	if policies == nil {
		return nil
	}
	out := []string{} // an empty list is one
	for _, p := range policies {
		out = append(out, string(p))
	}
	return out
}
