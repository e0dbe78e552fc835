package localecr

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// A CredentialSource is where a client gets its credentials.
type CredentialSource string

const (
	Keys      CredentialSource = "keys"         // the keys of the first user
	Container CredentialSource = "ecs"          // from the agent of a container, as on Amazon ECS and EKS Pod Identity
	Instance  CredentialSource = "imds"         // from the metadata of an EC2 instance, version 2
	IDToken   CredentialSource = "web-identity" // an ID token in a file, as on EKS (IRSA) and in CI systems
)

// CredentialSources returns all of them.
func CredentialSources() []CredentialSource {
	return []CredentialSource{Keys, Container, Instance, IDToken}
}

// CredentialsEnv returns the environment of a client that gets its credentials from a source, in place of the keys in
// [Env]: those of a role of the first account, the first one that the source can give. set is NAME=VALUE, unset are
// names that lead AWS SDKs to other credentials. tokenFile is where an ID token is; see [WebIdentityRequest].
func CredentialsEnv(addr string, accounts []Account, source CredentialSource, tokenFile string) (set, unset []string, err error) {
	if len(accounts) == 0 {
		accounts = DefaultAccounts()
	}
	for _, entry := range Env(addr, accounts) {
		if name, _, _ := strings.Cut(entry, "="); source == Keys || name != "AWS_ACCESS_KEY_ID" && name != "AWS_SECRET_ACCESS_KEY" {
			set = append(set, entry)
		}
	}
	unset = []string{"AWS_SESSION_TOKEN"}
	if source == Keys {
		return set, unset, nil
	}
	role, err := roleFor(accounts[0], source)
	if err != nil {
		return nil, nil, err
	}
	// The keys of a machine's user are preferred to what AWS gives to a machine.
	set = append(set, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	others := []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_DISABLED", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"}
	switch source {
	case Container:
		token, ok := containerToken(accounts)
		if !ok {
			return nil, nil, fmt.Errorf("account %s has no user, from whose keys the authorization token is derived", accounts[0].ID)
		}
		set = append(set, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+containerURL("http://"+addr, role.Name), "AWS_CONTAINER_AUTHORIZATION_TOKEN="+token)
	case Instance:
		set = append(set, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://"+addr, "AWS_EC2_METADATA_DISABLED=false")
	default:
		set = append(set, "AWS_WEB_IDENTITY_TOKEN_FILE="+tokenFile, "AWS_ROLE_ARN=arn:aws:iam::"+accounts[0].ID+":role/"+role.Name, "AWS_ROLE_SESSION_NAME=web-identity")
	}
	for _, name := range others {
		if !slices.ContainsFunc(set, func(entry string) bool { return strings.HasPrefix(entry, name+"=") }) {
			unset = append(unset, name)
		}
	}
	return set, unset, nil
}

// roleFor returns the role of which a source gives credentials.
func roleFor(account Account, source CredentialSource) (Role, error) {
	for _, role := range account.Roles {
		if source != IDToken || role.WebIdentity != nil && (role.WebIdentity.Issuer == "" || role.WebIdentity.Issuer == LocalIssuer) {
			return role, nil
		}
	}
	if source == IDToken {
		return Role{}, fmt.Errorf("account %s has no role whose web_identity has the issuer %q", account.ID, LocalIssuer)
	}
	return Role{}, fmt.Errorf("account %s has no role", account.ID)
}

// WebIdentityRequest returns the request for an ID token to a server at addr, for the first role in the first account that
// accepts tokens of the server's own issuer. The answer is a [WebIdentityToken] in JSON.
func WebIdentityRequest(addr string, accounts []Account) (*http.Request, error) {
	if len(accounts) == 0 {
		accounts = DefaultAccounts()
	}
	role, err := roleFor(accounts[0], IDToken)
	if err != nil {
		return nil, err
	}
	token, ok := containerToken(accounts)
	if !ok {
		return nil, errors.New("account " + accounts[0].ID + " has no user, from whose keys the authorization token is derived")
	}
	query := url.Values{"audience": {role.WebIdentity.Audience}, "subject": {subjectOf(*role.WebIdentity)}}
	request, err := http.NewRequest(http.MethodPost, "http://"+addr+webIdentityPath+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", token)
	return request, nil
}

// subjectOf returns a subject that matches the pattern of a role.
func subjectOf(w WebIdentity) string {
	if w.Subject == "" {
		return "ecrkit-local"
	}
	return strings.NewReplacer("*", "local", "?", "x").Replace(w.Subject)
}
