package fakeaws

import (
	"net/http"
	"regexp"
)

// A caller is who says to have signed a request.
type caller struct {
	principal   string
	accessKeyID string
	region      string
	temporary   bool
}

// authorizationPattern is the header of a request signed with AWS Signature Version 4:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html.
var authorizationPattern = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=(\w{16,128})/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?` +
	`SignedHeaders=[a-z0-9-]+(?:;[a-z0-9-]+)*, ?Signature=[0-9a-f]{64}$`)

// caller reads whose signature a request for a service has, and does not check it. It does check that
// the key is one of the table's, comes with its own session token, and has not expired. The codes are
// those of AWS JSON 1.1.
func (p *Principals) caller(r *http.Request, service string) (caller, *refusal) {
	header := r.Header.Get("Authorization")
	if header == "" || r.Header.Get("X-Amz-Date") == "" {
		return caller{}, refuse(http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	m := authorizationPattern.FindStringSubmatch(header)
	if m == nil {
		return caller{}, refuse(http.StatusBadRequest, "IncompleteSignatureException", "The Authorization header is not one of AWS Signature Version 4.")
	}
	if m[3] != service {
		return caller{}, refuse(http.StatusBadRequest, "InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", service)
	}
	k, ok := p.key(m[1])
	if !ok || r.Header.Get("X-Amz-Security-Token") != k.sessionToken {
		return caller{}, refuse(http.StatusBadRequest, "UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if k.sessionToken != "" && !p.now().Before(k.expires) {
		return caller{}, refuse(http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired")
	}
	return caller{k.principal, m[1], m[2], k.sessionToken != ""}, nil
}
