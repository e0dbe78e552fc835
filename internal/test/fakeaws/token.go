package fakeaws

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// A Mint is what a registry's password tells of how it was minted.
type Mint struct {
	Principal   string    `json:"principal"`
	AccessKeyID string    `json:"access_key_id"`
	Service     string    `json:"service"` // ecr or ecr-public
	Region      string    `json:"region"`  // that the request was signed for
	Serial      int       `json:"serial"`  // counted from 1 by the service
	ExpiresAt   time.Time `json:"expires_at"`
}

// password is the content of a password.
type password struct {
	Mint
	// Filler makes it as long as ECR's are, and different from every other.
	Filler string `json:"filler"`
}

// errSecret does not repeat the secret.
var errSecret = errors.New("the secret was not minted by a fake ECR")

// ReadSecret reads the password of a registry: base64 (URL alphabet, no padding) of a JSON object.
func ReadSecret(secret string) (Mint, error) {
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		return Mint{}, errSecret
	}
	var p password
	if json.Unmarshal(raw, &p) != nil || p.Principal == "" || p.Serial < 1 {
		return Mint{}, errSecret
	}
	return p.Mint, nil
}

// Principal returns for whom a registry's password was minted, or "" if it is not one of ours.
func Principal(secret string) string {
	m, err := ReadSecret(secret)
	if err != nil {
		return ""
	}
	return m.Principal
}

// A minter is the GetAuthorizationToken of a service.
type minter struct {
	service    string
	principals *Principals

	mu       sync.Mutex
	serial   int
	lifetime time.Duration
}

// defaultLifetime is that of ECR's tokens:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html.
const defaultLifetime = 12 * time.Hour

// SetLifetime sets how long tokens live that are minted from now on; 0 is 12 hours.
func (m *minter) SetLifetime(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lifetime = d
}

// authorizationData is one element of the answer.
type authorizationData struct {
	AuthorizationToken string  `json:"authorizationToken"`
	ExpiresAt          float64 `json:"expiresAt"` // seconds since 1970
	ProxyEndpoint      string  `json:"proxyEndpoint,omitempty"`
}

func (m *minter) mint(who caller) authorizationData {
	m.mu.Lock()
	defer m.mu.Unlock()
	lifetime := m.lifetime
	if lifetime == 0 {
		lifetime = defaultLifetime
	}
	m.serial++
	expires := m.principals.now().Add(lifetime).UTC().Truncate(time.Millisecond)
	content, _ := json.Marshal(password{ // strings, a number and a time of this century always marshal
		Mint{who.principal, who.accessKeyID, m.service, who.region, m.serial, expires}, random(900),
	})
	secret := base64.RawURLEncoding.EncodeToString(content)
	encoded := base64.StdEncoding.EncodeToString([]byte("AWS:" + secret))
	m.principals.secret(secret, encoded)
	return authorizationData{AuthorizationToken: encoded, ExpiresAt: float64(expires.UnixMilli()) / 1000}
}

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // our own structs always marshal
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the client has gone
}

const awsJSON = "application/x-amz-json-1.1"

// failAWSJSON is an error of AWS JSON 1.1.
func failAWSJSON(w http.ResponseWriter, e *refusal) {
	writeJSON(w, awsJSON, e.status, map[string]string{"__type": e.code, "message": e.message})
}
