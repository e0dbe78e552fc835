package localecr

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/aws/smithy-go"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// stsActions are the actions of STS that the server has.
var stsActions = []string{"AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"}

const whatIsHere = "This is the AWS API of the local ECR: call ECR or KMS with X-Amz-Target, or STS with a form. The registry is at /v2/."

// serveSTS is the little of STS that clients of ECR need, by the AWS query protocol.
func (s *Server) serveSTS(w http.ResponseWriter, r *http.Request) {
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	form, formErr := parseForm(r, body)
	action := form.Get("Action")
	s.serve(w, r, EndpointAPI, action, "", func(x *exchange) {
		x.received.n = int64(len(body))
		switch {
		case readErr != nil:
			x.fail(&identity.Error{Code: "ValidationError", Message: "the request's body could not be read"})
		case formErr != nil:
			x.fail(formErr)
		default:
			result, err := x.sts(action, form, body)
			if err != nil {
				x.fail(err)
				return
			}
			identity.WriteXML(x.w, action, result, x.requestID)
		}
	})
}

// parseForm reads the parameters of a query-protocol request from its body, or from its URL with GET.
func parseForm(r *http.Request, body []byte) (url.Values, error) {
	if r.Method == http.MethodGet {
		return r.URL.Query(), nil
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // a bad one is not the right one
	if r.Method != http.MethodPost || mediaType != "application/x-www-form-urlencoded" {
		return url.Values{}, &identity.Error{Code: "InvalidAction", Message: whatIsHere}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return url.Values{}, &identity.Error{Code: "ValidationError", Message: "the request's form is malformed"}
	}
	return form, nil
}

func (x *exchange) sts(action string, form url.Values, body []byte) (any, error) {
	if !slices.Contains(stsActions, action) {
		return nil, &identity.Error{Code: "InvalidAction", Message: "Could not find operation " + strconv.Quote(action) + ". " + whatIsHere}
	}
	ids := x.server.identities()
	duration, err := identity.ParseDuration(form.Get("DurationSeconds"))
	if err != nil {
		return nil, err
	}
	role, session := form.Get("RoleArn"), form.Get("RoleSessionName")
	if action == "AssumeRoleWithWebIdentity" { // the one that is not signed
		return ids.AssumeRoleWithWebIdentity(role, session, form.Get("WebIdentityToken"), x.server.issuer(x.r), duration)
	}
	c, err := x.claim("sts")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := c.prove(hex.EncodeToString(sum[:])); err != nil {
		return nil, err
	}
	if action == "GetCallerIdentity" {
		who := identity.GetCallerIdentity(x.principal)
		return &who, nil
	}
	return ids.AssumeRole(x.principal, role, session, form.Get("ExternalId"), duration)
}

func (x *exchange) failSTS(err error) {
	refused := x.asSTSError(err)
	x.call.Error = refused.Error()
	identity.WriteXMLError(x.w, refused, x.requestID)
}

// stsCodes are STS's words for errors that the JSON protocol calls otherwise.
var stsCodes = map[string]string{
	codeExpiredToken:       "ExpiredToken",
	codeInvalidSignature:   "SignatureDoesNotMatch",
	codeMissingToken:       "MissingAuthenticationToken",
	codeUnrecognizedClient: "InvalidClientTokenId",
}

// asSTSError puts any error in the terms of STS.
func (x *exchange) asSTSError(err error) *identity.Error {
	var refused *identity.Error
	if errors.As(err, &refused) {
		return refused
	}
	api := asAPIError(err)
	out := &identity.Error{Code: api.ErrorCode(), Message: api.ErrorMessage()}
	if code, ok := stsCodes[out.Code]; ok {
		out.Code = code
	}
	var scripted *scriptedError
	switch {
	case errors.As(err, &scripted):
		out.Status = scripted.fault.Status
	case api.ErrorFault() == smithy.FaultServer:
		x.internal(err)
		out.Code, out.Status = "InternalFailure", http.StatusInternalServerError
	}
	return out
}
