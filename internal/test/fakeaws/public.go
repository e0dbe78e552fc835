package fakeaws

import (
	"encoding/json"
	"net/http"
	"strings"
)

// targetPublic is X-Amz-Target of ECR Public, which is SpencerFrontendService in its API.
const targetPublic = "SpencerFrontendService."

// Public is the GetAuthorizationToken of ECR Public, which exists in us-east-1 only.
type Public struct {
	Server
	minter
}

// NewPublic makes an ECR Public for the principals of a table.
func NewPublic(p *Principals) *Public {
	s := &Public{minter: minter{service: "ecr-public", principals: p}}
	s.setup("ECR Public", s, p.now)
	return s
}

func (s *Public) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, refused := jsonOperation(r, targetPublic)
	s.call(w, r, op, failAWSJSON, func(body []byte) *refusal {
		if refused != nil {
			return refused
		}
		var input map[string]json.RawMessage
		if json.Unmarshal(body, &input) != nil || len(input) > 0 {
			return refuse(http.StatusBadRequest, "SerializationException", "GetAuthorizationToken of ECR Public takes an empty object")
		}
		who, refused := s.principals.caller(r, "ecr-public")
		if refused != nil {
			return refused
		}
		if who.region != "us-east-1" {
			return refuse(http.StatusBadRequest, "InvalidSignatureException", "Credential should be scoped to a valid region, not '%s'.", who.region)
		}
		writeJSON(w, awsJSON, http.StatusOK, map[string]any{"authorizationData": s.mint(who)})
		return nil
	})
}

// jsonOperation returns the operation of a request in AWS JSON 1.1, and a refusal unless it is a
// GetAuthorizationToken of the service whose targets have this prefix.
func jsonOperation(r *http.Request, prefix string) (string, *refusal) {
	target := r.Header.Get("X-Amz-Target")
	op, ours := strings.CutPrefix(target, prefix)
	switch {
	case target == "" || r.Method != http.MethodPost || r.URL.Path != "/":
		return r.Method + " " + r.URL.Path, refuse(http.StatusNotFound, "UnknownOperationException", "call with POST / and X-Amz-Target")
	case !ours || op != "GetAuthorizationToken":
		return target, refuse(http.StatusBadRequest, "UnknownOperationException", "%s is not an operation of this service", target)
	case r.Header.Get("Content-Type") != awsJSON:
		return op, refuse(http.StatusBadRequest, "UnknownOperationException", "the content type must be %s", awsJSON)
	}
	return op, nil
}
