package localecr

import (
	"net/http"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/credentials"
	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// A CredentialSource is where a client gets its credentials.
type CredentialSource string

const (
	Keys      = CredentialSource(credentials.Keys)      // the keys of the first user
	Container = CredentialSource(credentials.Container) // from the agent of a container, as on Amazon ECS and EKS Pod Identity
	Instance  = CredentialSource(credentials.Instance)  // from the metadata of an EC2 instance, version 2
	IDToken   = CredentialSource(credentials.IDToken)   // a web identity token in a file, as on EKS (IRSA) and in CI systems
)

// CredentialSources returns all of them.
func CredentialSources() []CredentialSource {
	return []CredentialSource{Keys, Container, Instance, IDToken}
}

// CredentialsEnv returns the environment of a client that gets its credentials from a source, in place of the keys in
// [Env]: those of a role of the first account, the first one whose credentials the source offers. set is NAME=VALUE, unset are
// names that lead AWS SDKs to other credentials. tokenFile is where a web identity token is; see [WebIdentityRequest].
func CredentialsEnv(addr string, accounts []Account, source CredentialSource, tokenFile string) (set, unset []string, err error) {
	if len(accounts) == 0 {
		accounts = DefaultAccounts()
	}
	return credentials.Env(Env(addr, accounts), addr, identityAccounts(accounts)[0], credentials.Source(source), tokenFile)
}

// A WebIdentityToken is an ID token of the server's own issuer: token, and the time at which it expires.
type WebIdentityToken = credentials.WebIdentityToken

// WebIdentityRequest returns the request for an ID token to a server at addr, for the first role in the first account that
// accepts tokens of the server's own issuer. The answer is a [WebIdentityToken] in JSON.
func WebIdentityRequest(addr string, accounts []Account) (*http.Request, error) {
	if len(accounts) == 0 {
		accounts = DefaultAccounts()
	}
	return credentials.WebIdentityRequest(addr, identityAccounts(accounts)[0])
}

// issuer is the URL of the server's issuer of web identity tokens, for a client that has sent the request.
func (s *Server) issuer(r *http.Request) string { return schemeOf(r) + "://" + s.hostFor(r.Host) }

// credentials are where programs get credentials of the first account.
func (s *Server) credentials() *credentials.Endpoints {
	return &credentials.Endpoints{
		Accounts: func() []identity.Account { return identityAccounts(s.accounts()) }, Identities: s.identities, Issuer: s.issuer,
		Now: func() time.Time { return s.clock.Now() }, Region: DefaultRegion, Published: identityAccounts(DefaultAccounts())[0].Users[0],
	}
}
