package localecr

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// What gives a program credentials on AWS, besides keys: the agent of a container (Amazon ECS, EKS Pod Identity) and an
// issuer of web identity tokens (EKS, CI systems). metadata.go has an EC2 instance. All three are about a role of the
// first account.
const (
	wellKnownPath       = "/.well-known/"
	issuerKeysPath      = controlPath + "jwks"
	containerPath       = controlPath + "credentials/container"
	webIdentityPath     = controlPath + "credentials/web-identity"
	roleCredentialsLife = 6 * time.Hour // as AWS gives to containers and instances
)

// issuer is the URL of the server's issuer of web identity tokens, for a client that has sent the request.
func (s *Server) issuer(r *http.Request) string { return schemeOf(r) + "://" + s.hostFor(r.Host) }

// addCredentials adds the endpoints of a container and of an issuer.
func (s *Server) addCredentials(mux *http.ServeMux) {
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
	mux.HandleFunc("GET "+containerPath, s.authorized(func(w http.ResponseWriter, r *http.Request) {
		account := s.accounts()[0].ID
		role := r.URL.Query().Get("role")
		keys, err := s.identities().RoleCredentials(account, role, "container", roleCredentialsLife)
		if err != nil {
			refuseControl(w, http.StatusNotFound, "RoleNotFound", err.Error())
			return
		}
		writeControl(w, http.StatusOK, map[string]any{
			"AccessKeyId": keys.AccessKeyID, "SecretAccessKey": keys.SecretAccessKey, "Token": keys.SessionToken, "Expiration": keys.Expiration,
			"RoleArn": "arn:aws:iam::" + account + ":role/" + role, "AccountId": account,
		})
	}))
	mux.HandleFunc("POST "+webIdentityPath, s.authorized(func(w http.ResponseWriter, r *http.Request) {
		token, expires, err := s.identities().IssueWebIdentity(s.issuer(r), r.URL.Query().Get("audience"), r.URL.Query().Get("subject"))
		if err != nil {
			s.failControl(w, err)
			return
		}
		writeControl(w, http.StatusOK, WebIdentityToken{token, expires})
	}))
	// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
	mux.HandleFunc("GET "+wellKnownPath+"openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		issuer := s.issuer(r)
		writeControl(w, http.StatusOK, map[string]any{
			"issuer": issuer, "jwks_uri": issuer + issuerKeysPath,
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"}, "claims_supported": []string{"iss", "aud", "sub", "iat", "nbf", "exp"},
		})
	})
	mux.HandleFunc("GET "+issuerKeysPath, func(w http.ResponseWriter, _ *http.Request) {
		keys, err := s.identities().IssuerKeys()
		if err != nil {
			s.failControl(w, err)
			return
		}
		writeControl(w, http.StatusOK, map[string][]identity.JSONWebKey{"keys": keys})
	})
}

// A WebIdentityToken is an ID token of the server's own issuer.
type WebIdentityToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// authorized answers only to those who have the authorization token of [ContainerToken].
func (s *Server) authorized(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		want, ok := containerToken(s.accounts())
		if !ok || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			refuseControl(w, http.StatusUnauthorized, "Unauthorized", "the Authorization header does not have the token that `ecrkit local env --credentials ecs` prints")
			return
		}
		h(w, r)
	}
}

// containerToken is the authorization token of the endpoints that give credentials. Who has the keys of the first user can
// derive it, and nobody else. It is no such key itself.
func containerToken(accounts []Account) (string, bool) {
	if len(accounts) == 0 || len(accounts[0].Users) == 0 {
		return "", false
	}
	h := hmac.New(sha256.New, []byte(accounts[0].Users[0].SecretAccessKey))
	h.Write([]byte("ecrkit local: container credentials"))
	return hex.EncodeToString(h.Sum(nil)), true
}

// refuseControl answers as the agents of AWS do: SDKs show code and message.
func refuseControl(w http.ResponseWriter, status int, code, message string) {
	writeControl(w, status, map[string]string{"code": code, "message": message})
}

// containerURL is where a container gets the credentials of a role.
func containerURL(base, role string) string {
	return base + containerPath + "?role=" + url.QueryEscape(role)
}
