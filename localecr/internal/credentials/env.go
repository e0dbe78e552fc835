package credentials

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// A Source is where a client gets its credentials.
type Source string

// Where a client gets its credentials.
const (
	Keys      Source = "keys"
	Container Source = "ecs"
	Instance  Source = "imds"
	IDToken   Source = "web-identity"
)

// others are the variables by which AWS SDKs find credentials.
var others = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_DISABLED", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
}

// elsewhere are the variables that lead clients with keys in their environment elsewhere too: the AWS SDK for JavaScript
// prefers a profile, others fail without it, and FIPS, dual-stack or ignored endpoints are those of AWS.
var elsewhere = []string{
	"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
}

// Env returns the environment of a client, which is that of one with keys, if it gets its credentials from another source.
// set is NAME=VALUE, unset are names that lead AWS SDKs to other credentials.
func Env(keys []string, addr string, account identity.Account, source Source, tokenFile string) (set, unset []string, err error) {
	unset = slices.Clone(elsewhere)
	if source == Keys {
		return keys, unset, nil
	}
	for _, entry := range keys {
		if name, _, _ := strings.Cut(entry, "="); name != "AWS_ACCESS_KEY_ID" && name != "AWS_SECRET_ACCESS_KEY" {
			set = append(set, entry)
		}
	}
	role, err := roleFor(account, source)
	if err != nil {
		return nil, nil, err
	}
	// The keys of a machine's user are preferred to what AWS issues to a machine.
	set = append(set, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	switch source {
	case Container:
		token, ok := containerToken([]identity.Account{account})
		if !ok {
			return nil, nil, errNoUser(account)
		}
		set = append(set, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+containerURL("http://"+addr, role.Name), "AWS_CONTAINER_AUTHORIZATION_TOKEN="+token)
	case Instance:
		set = append(set, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://"+addr, "AWS_EC2_METADATA_DISABLED=false")
	default:
		set = append(set, "AWS_WEB_IDENTITY_TOKEN_FILE="+tokenFile, "AWS_ROLE_ARN=arn:aws:iam::"+account.ID+":role/"+role.Name, "AWS_ROLE_SESSION_NAME=web-identity")
	}
	for _, name := range others {
		if !slices.ContainsFunc(set, func(entry string) bool { return strings.HasPrefix(entry, name+"=") }) {
			unset = append(unset, name)
		}
	}
	return set, unset, nil
}

func errNoUser(account identity.Account) error {
	return fmt.Errorf("account %s has no user, from whose keys the authorization token is derived", account.ID)
}

// roleFor returns the role whose credentials a source offers.
func roleFor(account identity.Account, source Source) (identity.Role, error) {
	for _, role := range account.Roles {
		if source != IDToken || role.WebIdentity != nil && (role.WebIdentity.Issuer == "" || role.WebIdentity.Issuer == identity.OwnIssuer) {
			return role, nil
		}
	}
	if source == IDToken {
		return identity.Role{}, fmt.Errorf("account %s has no role whose web_identity has the issuer %q", account.ID, identity.OwnIssuer)
	}
	return identity.Role{}, fmt.Errorf("account %s has no role", account.ID)
}

// WebIdentityRequest returns the request for an ID token to a server at addr, for the first role that accepts tokens of the
// server's own issuer. The answer is a [WebIdentityToken] in JSON.
func WebIdentityRequest(addr string, account identity.Account) (*http.Request, error) {
	role, err := roleFor(account, IDToken)
	if err != nil {
		return nil, err
	}
	token, ok := containerToken([]identity.Account{account})
	if !ok {
		return nil, errNoUser(account)
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
func subjectOf(w identity.WebIdentity) string {
	if w.Subject == "" {
		return "ecrkit-local"
	}
	return strings.NewReplacer("*", "local", "?", "x").Replace(w.Subject)
}
