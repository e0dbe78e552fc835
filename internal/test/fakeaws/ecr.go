package fakeaws

import (
	"encoding/json"
	"net/http"
)

// targetPrivate is X-Amz-Target of ECR.
const targetPrivate = "AmazonEC2ContainerRegistry_V20150921."

// ECR is the GetAuthorizationToken of private ECR, and of STS AssumeRole and
// AssumeRoleWithWebIdentity: every role may be assumed by everyone.
type ECR struct {
	Server
	minter
}

// NewECR makes an ECR and STS for the principals of a table.
func NewECR(p *Principals) *ECR {
	s := &ECR{minter: minter{service: "ecr", principals: p}}
	s.setup("ECR", s, p.now)
	return s
}

func (s *ECR) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") == "" {
		s.serveSTS(w, r)
		return
	}
	op, refused := jsonOperation(r, targetPrivate)
	s.call(w, r, op, failAWSJSON, func(body []byte) *refusal {
		if refused != nil {
			return refused
		}
		var input struct {
			RegistryIDs []string `json:"registryIds"`
		}
		if json.Unmarshal(body, &input) != nil {
			return refuse(http.StatusBadRequest, "SerializationException", "the request does not have the shape of GetAuthorizationToken")
		}
		who, refused := s.principals.caller(r, "ecr")
		if refused != nil {
			return refused
		}
		if len(input.RegistryIDs) == 0 {
			input.RegistryIDs = []string{Account}
		}
		token := s.mint(who)
		var data []authorizationData
		for _, id := range input.RegistryIDs {
			token.ProxyEndpoint = "https://" + id + ".dkr.ecr." + who.region + ".amazonaws.com"
			data = append(data, token)
		}
		writeJSON(w, awsJSON, http.StatusOK, map[string]any{"authorizationData": data})
		return nil
	})
}
