package fakeaws

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Credentials are AWS credentials as a service issues them.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // "" for a long-term key
	Expires         time.Time // zero for a long-term key
}

// Env returns the credentials as environment variables, NAME=VALUE.
func (c Credentials) Env() []string {
	env := []string{"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey}
	if c.SessionToken != "" {
		env = append(env, "AWS_SESSION_TOKEN="+c.SessionToken)
	}
	return env
}

// INI returns the credentials as the lines of a profile.
func (c Credentials) INI() string {
	text := "aws_access_key_id = " + c.AccessKeyID + "\naws_secret_access_key = " + c.SecretAccessKey + "\n"
	if c.SessionToken != "" {
		text += "aws_session_token = " + c.SessionToken + "\n"
	}
	return text
}

// ProcessJSON returns the credentials as a credential_process prints them:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html.
func (c Credentials) ProcessJSON() string {
	out := map[string]any{"Version": 1, "AccessKeyId": c.AccessKeyID, "SecretAccessKey": c.SecretAccessKey}
	if c.SessionToken != "" {
		out["SessionToken"], out["Expiration"] = c.SessionToken, awsTime(c.Expires)
	}
	text, _ := json.Marshal(out) // strings and a number always marshal
	return string(text)
}

// awsTime is a time as JSON documents of AWS have it.
func awsTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Principals knows whose every access key is. It is safe for use by several goroutines.
type Principals struct {
	now func() time.Time

	mu      sync.Mutex
	keys    map[string]key // by access key ID
	users   map[string]Credentials
	secrets []string
}

type key struct {
	principal    string
	sessionToken string
	expires      time.Time
}

// NewPrincipals makes an empty table. now is the clock of the services that use it; nil is time.Now.
func NewPrincipals(now func() time.Time) *Principals {
	if now == nil {
		now = time.Now
	}
	return &Principals{now: now, keys: map[string]key{}, users: map[string]Credentials{}}
}

// User returns the long-term key of an IAM user, always the same one for a name. Its principal is
// user/NAME.
func (p *Principals) User(name string) Credentials {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.users[name]
	if !ok {
		c = Credentials{AccessKeyID: keyID("AKIA"), SecretAccessKey: random(30)}
		p.users[name] = c
		p.register("user/"+name, c)
	}
	return c
}

// Issue returns new temporary credentials of a principal.
func (p *Principals) Issue(principal string, lifetime time.Duration) Credentials {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Credentials{
		AccessKeyID: keyID("ASIA"), SecretAccessKey: random(30), SessionToken: random(300),
		Expires: p.now().Add(lifetime).UTC().Truncate(time.Second),
	}
	p.register(principal, c)
	return c
}

// Add makes known a long-term key that the test has invented: 16 letters and digits or more.
func (p *Principals) Add(accessKeyID, principal string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.register(principal, Credentials{AccessKeyID: accessKeyID})
}

func (p *Principals) register(principal string, c Credentials) {
	p.keys[c.AccessKeyID] = key{principal, c.SessionToken, c.Expires}
	for _, secret := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
		if secret != "" {
			p.secrets = append(p.secrets, secret)
		}
	}
}

// Of returns the principal of an access key, or "".
func (p *Principals) Of(accessKeyID string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[accessKeyID].principal
}

// Secrets returns everything that no log may contain: access key IDs, secret keys, session tokens, SSO
// tokens and the passwords of registries, as far as they were issued.
func (p *Principals) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.secrets)
}

func (p *Principals) secret(s ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets = append(p.secrets, s...)
}

func (p *Principals) key(accessKeyID string) (key, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.keys[accessKeyID]
	return k, ok
}

// held are credentials that a service returns again until they are rotated or about to expire.
type held struct{ credentials Credentials }

// get issues new credentials in the last quarter of an hour of the old ones, or with none.
func (h *held) get(p *Principals, principal string, lifetime time.Duration) Credentials {
	if !p.now().Add(15 * time.Minute).Before(h.credentials.Expires) {
		h.credentials = p.Issue(principal, lifetime)
	}
	return h.credentials
}

// keyID makes an access key ID: a prefix of 4 letters and 16 more.
func keyID(prefix string) string {
	raw := make([]byte, 10)
	_, _ = rand.Read(raw) // never fails
	return prefix + base32.StdEncoding.EncodeToString(raw)
}

// random returns n random bytes in base64.
func random(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw)
}
