package fakeaws

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Portal is IAM Identity Center: GetRoleCredentials of the access portal
// (https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html) and
// CreateToken with a refresh token
// (https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html).
// The cache files of the aws CLI are written by [Portal.Login].
type Portal struct {
	Server
	principals *Principals

	// KeepRefreshTokens lets a refresh token be used again. AWS does not say whether it can be; a
	// client had better not rely on it. Set it before the portal is called.
	KeepRefreshTokens bool

	mu      sync.Mutex
	users   map[string][]Assignment
	access  map[string]login // by access token
	refresh map[string]login // by refresh token
	clients map[string]string
}

// An Assignment is a role that a user has in an account.
type Assignment struct{ Account, Role string }

// login is what a token stands for.
type login struct {
	user     string
	expires  time.Time     // of an access token
	lifetime time.Duration // of access tokens that come of a refresh token
}

// NewPortal makes a portal without users for the principals of a table.
func NewPortal(p *Principals) *Portal {
	s := &Portal{
		principals: p, users: map[string][]Assignment{}, access: map[string]login{}, refresh: map[string]login{}, clients: map[string]string{},
	}
	s.setup("IAM Identity Center", s, p.now)
	return s
}

// SetUser sets the roles that a user has from now on. Their principals are sso/ACCOUNT/ROLE/USER.
func (s *Portal) SetUser(user string, roles ...Assignment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user] = roles
}

// AccessToken returns a new access token of a user.
func (s *Portal) AccessToken(user string, lifetime time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accessToken(user, lifetime)
}

func (s *Portal) accessToken(user string, lifetime time.Duration) string {
	token := random(90)
	s.access[token] = login{user: user, expires: s.now().Add(lifetime)}
	s.principals.secret(token)
	return token
}

func (s *Portal) refreshToken(user string, lifetime time.Duration) string {
	token := random(120)
	s.refresh[token] = login{user: user, lifetime: lifetime}
	s.principals.secret(token)
	return token
}

// Revoke ends an access or refresh token. Others are left alone.
func (s *Portal) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.access, token)
	delete(s.refresh, token)
}

func (s *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/federation/credentials":
		s.call(w, r, "GetRoleCredentials", failREST, func([]byte) *refusal { return s.getRoleCredentials(w, r) })
	case r.Method == http.MethodPost && r.URL.Path == "/token" && r.URL.RawQuery == "":
		s.call(w, r, "CreateToken", failOIDC, func(body []byte) *refusal { return s.createToken(w, r, body) })
	default:
		s.call(w, r, r.Method+" "+r.URL.Path, failREST, func([]byte) *refusal {
			return refuse(http.StatusNotFound, "UnknownOperationException", "%s %s is not an operation of the portal", r.Method, r.URL.Path)
		})
	}
}

func (s *Portal) getRoleCredentials(w http.ResponseWriter, r *http.Request) *refusal {
	account, role := r.URL.Query().Get("account_id"), r.URL.Query().Get("role_name")
	if account == "" || role == "" {
		return refuse(http.StatusBadRequest, "InvalidRequestException", "account_id and role_name must be given")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, ok := s.access[r.Header.Get("X-Amz-Sso_bearer_token")]
	if !ok || !s.now().Before(who.expires) {
		return refuse(http.StatusUnauthorized, "UnauthorizedException", "Session token not found or invalid")
	}
	for _, assigned := range s.users[who.user] {
		if assigned != (Assignment{account, role}) {
			continue
		}
		c := s.principals.Issue("sso/"+account+"/"+role+"/"+who.user, time.Hour)
		writeJSON(w, "application/json", http.StatusOK, map[string]any{"roleCredentials": map[string]any{
			"accessKeyId": c.AccessKeyID, "secretAccessKey": c.SecretAccessKey, "sessionToken": c.SessionToken, "expiration": c.Expires.UnixMilli(),
		}})
		return nil
	}
	return refuse(http.StatusForbidden, "ForbiddenException", "No access")
}

func (s *Portal) createToken(w http.ResponseWriter, r *http.Request, body []byte) *refusal {
	var in struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
		GrantType    string `json:"grantType"`
		RefreshToken string `json:"refreshToken"`
	}
	if r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &in) != nil || in.ClientID == "" || in.ClientSecret == "" || in.GrantType == "" {
		return refuse(http.StatusBadRequest, "InvalidRequestException", "clientId, clientSecret and grantType must be given as JSON")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret, ok := s.clients[in.ClientID]; !ok || secret != in.ClientSecret {
		return refuse(http.StatusUnauthorized, "InvalidClientException", "Invalid client provided")
	}
	if in.GrantType != "refresh_token" {
		return refuse(http.StatusBadRequest, "UnsupportedGrantTypeException", "Unsupported grant type")
	}
	who, ok := s.refresh[in.RefreshToken]
	if !ok {
		return refuse(http.StatusBadRequest, "InvalidGrantException", "Invalid refresh token provided")
	}
	if !s.KeepRefreshTokens {
		delete(s.refresh, in.RefreshToken)
	}
	writeJSON(w, "application/json", http.StatusOK, map[string]any{
		"accessToken": s.accessToken(who.user, who.lifetime), "tokenType": "Bearer",
		"expiresIn": int(who.lifetime / time.Second), "refreshToken": s.refreshToken(who.user, who.lifetime),
	})
	return nil
}

// failREST is an error of REST JSON.
func failREST(w http.ResponseWriter, e *refusal) {
	w.Header().Set("X-Amzn-ErrorType", e.code)
	writeJSON(w, "application/json", e.status, map[string]string{"message": e.message})
}

// oauthErrors are OAuth's names of the errors of CreateToken.
var oauthErrors = map[string]string{
	"InvalidClientException":        "invalid_client",
	"InvalidGrantException":         "invalid_grant",
	"InvalidRequestException":       "invalid_request",
	"UnsupportedGrantTypeException": "unsupported_grant_type",
}

// failOIDC is an error of CreateToken, in OAuth's terms too.
func failOIDC(w http.ResponseWriter, e *refusal) {
	w.Header().Set("X-Amzn-ErrorType", e.code)
	writeJSON(w, "application/json", e.status, map[string]string{"error": oauthErrors[e.code], "error_description": e.message})
}
