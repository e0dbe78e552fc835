package fakeaws

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The paths of the instance metadata service:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html.
const (
	metadataToken    = "/latest/api/token"
	metadataRoles    = "/latest/meta-data/iam/security-credentials/"
	metadataRegion   = "/latest/meta-data/placement/region"
	metadataZone     = "/latest/meta-data/placement/availability-zone"
	metadataDocument = "/latest/dynamic/instance-identity/document"
)

// Metadata is the instance metadata service of EC2, version 2 only: a GET without a token is refused.
type Metadata struct {
	Server
	principals *Principals

	mu     sync.Mutex
	region string
	role   string
	held   held
	tokens map[string]time.Time // when they expire
}

// NewMetadata makes the metadata service of an instance in us-east-1 without a role.
func NewMetadata(p *Principals) *Metadata {
	s := &Metadata{principals: p, region: "us-east-1", tokens: map[string]time.Time{}}
	s.setup("instance metadata", s, p.now)
	return s
}

// SetRole attaches a role to the instance, whose principal is imds/ROLE, or with "" takes it away.
func (s *Metadata) SetRole(role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.role, s.held = role, held{}
}

// Rotate replaces the access key of the instance; the role stays.
func (s *Metadata) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held{}
}

// SetRegion moves the instance.
func (s *Metadata) SetRegion(region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.region = region
}

// ServeHTTP serves the operations GetToken, ListRoles, GetRoleCredentials and, for anything else that
// may be read, GetMetadata.
func (s *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	role, isRole := strings.CutPrefix(path, metadataRoles)
	switch {
	case path == metadataToken:
		s.call(w, r, "GetToken", failPlain, func([]byte) *refusal { return s.token(w, r) })
	case path == metadataRoles || path == strings.TrimSuffix(metadataRoles, "/"):
		s.call(w, r, "ListRoles", failPlain, func([]byte) *refusal { return s.read(w, r, s.roles) })
	case isRole:
		s.call(w, r, "GetRoleCredentials", failPlain, func([]byte) *refusal {
			return s.read(w, r, func() any { return s.credentials(role) })
		})
	case path == metadataRegion || path == metadataZone || path == metadataDocument:
		s.call(w, r, "GetMetadata", failPlain, func([]byte) *refusal {
			return s.read(w, r, func() any { return s.place(path) })
		})
	default:
		s.call(w, r, r.Method+" "+path, failPlain, func([]byte) *refusal {
			return s.read(w, r, func() any { return nil })
		})
	}
}

// token is PUT /latest/api/token.
func (s *Metadata) token(w http.ResponseWriter, r *http.Request) *refusal {
	const header = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	seconds, err := strconv.Atoi(r.Header.Get(header))
	switch {
	case r.Method != http.MethodPut:
		return &refusal{status: http.StatusMethodNotAllowed}
	case r.Header.Get("X-Forwarded-For") != "":
		return &refusal{status: http.StatusForbidden}
	case err != nil || seconds < 1 || seconds > 21600:
		return &refusal{status: http.StatusBadRequest}
	}
	token := random(40)
	s.mu.Lock()
	s.tokens[token] = s.now().Add(time.Duration(seconds) * time.Second)
	s.mu.Unlock()
	s.principals.secret(token)
	w.Header().Set(header, strconv.Itoa(seconds))
	_, _ = w.Write([]byte(token)) // fails only when the client has gone
	return nil
}

// read answers with what get returns: text, a document, or nothing.
func (s *Metadata) read(w http.ResponseWriter, r *http.Request, get func() any) *refusal {
	if r.Method != http.MethodGet {
		return &refusal{status: http.StatusMethodNotAllowed}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if expires, ok := s.tokens[r.Header.Get("X-Aws-Ec2-Metadata-Token")]; !ok || !s.now().Before(expires) {
		return &refusal{status: http.StatusUnauthorized}
	}
	switch content := get().(type) {
	case nil:
		return &refusal{status: http.StatusNotFound}
	case string:
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(content)) // fails only when the client has gone
	default:
		writeJSON(w, "text/plain", http.StatusOK, content)
	}
	return nil
}

func (s *Metadata) roles() any {
	if s.role == "" {
		return nil
	}
	return s.role
}

func (s *Metadata) credentials(role string) any {
	if s.role == "" || role != s.role {
		return nil
	}
	c := s.held.get(s.principals, "imds/"+role, 6*time.Hour)
	return map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": awsTime(s.now()), "AccessKeyId": c.AccessKeyID,
		"SecretAccessKey": c.SecretAccessKey, "Token": c.SessionToken, "Expiration": awsTime(c.Expires),
	}
}

func (s *Metadata) place(path string) any {
	switch path {
	case metadataRegion:
		return s.region
	case metadataZone:
		return s.region + "a"
	}
	return map[string]any{
		"accountId": Account, "architecture": "x86_64", "availabilityZone": s.region + "a", "billingProducts": nil, "devpayProductCodes": nil,
		"marketplaceProductCodes": nil, "imageId": "ami-00000000000000000", "instanceId": "i-00000000000000000", "instanceType": "t3.micro",
		"kernelId": nil, "pendingTime": "2026-01-01T00:00:00Z", "privateIp": "10.0.0.1", "ramdiskId": nil, "region": s.region, "version": "2017-09-30",
	}
}

// failPlain is an error of a service that has no shape for it.
func failPlain(w http.ResponseWriter, e *refusal) {
	text := e.message
	if text == "" {
		text = http.StatusText(e.status)
	}
	http.Error(w, text, e.status)
}
