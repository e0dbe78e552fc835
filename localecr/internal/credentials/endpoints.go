// Package credentials hands credentials of a role to programs as AWS does, besides keys: as the agent of a container (Amazon
// ECS, EKS Pod Identity), as the metadata of an EC2 instance, and as an issuer of web identity tokens (EKS, CI systems). All
// are about roles of one account.
package credentials

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// WellKnownPath begins the path of the issuer's discovery.
const WellKnownPath = "/.well-known/"

const (
	controlPath         = "/_ecrkit/"
	issuerKeysPath      = controlPath + "jwks"
	containerPath       = controlPath + "credentials/container"
	webIdentityPath     = controlPath + "credentials/web-identity"
	roleCredentialsLife = 6 * time.Hour // as AWS issues to containers and instances
)

// Endpoints are where programs get credentials.
type Endpoints struct {
	Accounts   func() []identity.Account // the first one is the one whose roles they get
	Identities func() *identity.Identities
	Issuer     func(*http.Request) string // URL, as the client of the request knows it
	Now        func() time.Time
	Region     string // of the instance
	Published  identity.User
}

// Add adds the endpoints of a container and of an issuer.
func (e *Endpoints) Add(mux *http.ServeMux) {
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
	mux.HandleFunc("GET "+containerPath, e.authorized(func(w http.ResponseWriter, r *http.Request) {
		account := e.Accounts()[0].ID
		role := r.URL.Query().Get("role")
		keys, err := e.Identities().RoleCredentials(account, role, "container", roleCredentialsLife)
		if err != nil {
			refuse(w, http.StatusNotFound, "RoleNotFound", err.Error())
			return
		}
		write(w, http.StatusOK, map[string]any{
			"AccessKeyId": keys.AccessKeyID, "SecretAccessKey": keys.SecretAccessKey, "Token": keys.SessionToken, "Expiration": keys.Expiration,
			"RoleArn": "arn:aws:iam::" + account + ":role/" + role, "AccountId": account,
		})
	}))
	mux.HandleFunc("POST "+webIdentityPath, e.authorized(func(w http.ResponseWriter, r *http.Request) {
		token, expires, err := e.Identities().IssueWebIdentity(e.Issuer(r), r.URL.Query().Get("audience"), r.URL.Query().Get("subject"))
		if err != nil {
			refuse(w, http.StatusInternalServerError, "Internal", err.Error())
			return
		}
		write(w, http.StatusOK, WebIdentityToken{token, expires})
	}))
	// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
	mux.HandleFunc("GET "+WellKnownPath+"openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		issuer := e.Issuer(r)
		write(w, http.StatusOK, map[string]any{
			"issuer": issuer, "jwks_uri": issuer + issuerKeysPath,
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"}, "claims_supported": []string{"iss", "aud", "sub", "iat", "nbf", "exp"},
		})
	})
	mux.HandleFunc("GET "+issuerKeysPath, func(w http.ResponseWriter, _ *http.Request) {
		keys, err := e.Identities().IssuerKeys()
		if err != nil {
			refuse(w, http.StatusInternalServerError, "Internal", err.Error())
			return
		}
		write(w, http.StatusOK, map[string][]identity.JSONWebKey{"keys": keys})
	})
}

// A WebIdentityToken is an ID token of the server's own issuer.
type WebIdentityToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// authorized answers only to those who have the authorization token of containerToken.
func (e *Endpoints) authorized(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		want, ok := containerToken(e.Accounts())
		if !ok || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			refuse(w, http.StatusUnauthorized, "Unauthorized", "the Authorization header does not have the token that `ecrkit local env` prints for containers")
			return
		}
		h(w, r)
	}
}

// containerToken is the authorization token of the endpoints of credentials. Who has the keys of the first user can
// derive it, and nobody else. It is no such key itself.
func containerToken(accounts []identity.Account) (string, bool) {
	if len(accounts) == 0 || len(accounts[0].Users) == 0 {
		return "", false
	}
	h := hmac.New(sha256.New, []byte(accounts[0].Users[0].SecretAccessKey))
	h.Write([]byte("ecrkit local: container credentials"))
	return hex.EncodeToString(h.Sum(nil)), true
}

// refuse answers as the agents of AWS do: SDKs show code and message.
func refuse(w http.ResponseWriter, status int, code, message string) {
	write(w, status, map[string]string{"code": code, "message": message})
}

// containerURL is where a container gets the credentials of a role.
func containerURL(base, role string) string {
	return base + containerPath + "?role=" + url.QueryEscape(role)
}

func write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // fails only when the client has gone
}
