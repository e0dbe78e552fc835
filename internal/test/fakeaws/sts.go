package fakeaws

import (
	"bytes"
	"encoding/xml"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// serveSTS is STS by the AWS query protocol.
func (s *ECR) serveSTS(w http.ResponseWriter, r *http.Request) {
	// The action is in the body: read it before the call is counted, and let it be read again.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, refused := readForm(r, body, err)
	op := form.Get("Action")
	if op == "" {
		op = r.Method + " " + r.URL.Path
	}
	s.call(w, r, op, failSTS, func([]byte) *refusal {
		if refused != nil {
			return refused
		}
		var result answer
		var refused *refusal
		switch op {
		case "AssumeRole":
			result, refused = s.assumeRole(r, form)
		case "AssumeRoleWithWebIdentity":
			result, refused = s.assumeRoleWithWebIdentity(form)
		default:
			refused = refuse(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version 2011-06-15", op)
		}
		if refused == nil {
			writeXML(w, http.StatusOK, result)
		}
		return refused
	})
}

// readForm reads the parameters of a query-protocol request from its body.
func readForm(r *http.Request, body []byte, err error) (url.Values, *refusal) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // a bad one is not the right one
	if r.Method != http.MethodPost || r.URL.Path != "/" || mediaType != "application/x-www-form-urlencoded" {
		return nil, refuse(http.StatusBadRequest, "InvalidAction", "call STS with POST / and a form")
	}
	form, malformed := url.ParseQuery(string(body))
	switch {
	case err != nil || malformed != nil:
		return nil, refuse(http.StatusBadRequest, "MalformedQueryString", "the form cannot be read")
	case form.Get("Version") != "2011-06-15":
		return form, refuse(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", form.Get("Action"), form.Get("Version"))
	}
	return form, nil
}

// A session is a role that was assumed.
type session struct {
	XMLName     xml.Name
	User        assumedUser    `xml:"AssumedRoleUser"`
	Credentials xmlCredentials `xml:"Credentials"`
	Subject     string         `xml:"SubjectFromWebIdentityToken,omitempty"`
}

type assumedUser struct {
	ID  string `xml:"AssumedRoleId"`
	ARN string `xml:"Arn"`
}

type xmlCredentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string `xml:"SecretAccessKey"`
	SessionToken    string `xml:"SessionToken"`
	Expiration      string `xml:"Expiration"`
}

// An answer of the query protocol has its result in an element of its own.
type answer struct {
	XMLName xml.Name
	Result  session
}

var (
	roleARNPattern     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/([\w+=,.@/-]+)$`)
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
)

func (s *ECR) assumeRole(r *http.Request, form url.Values) (answer, *refusal) {
	who, refused := s.principals.caller(r, "sts")
	if refused != nil {
		return answer{}, asSTS(refused)
	}
	role, lifetime, refused := roleRequest(form)
	if refused != nil {
		return answer{}, refused
	}
	if who.temporary && lifetime > time.Hour {
		return answer{}, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	principal := "role/" + role
	if form.Has("ExternalId") {
		// AWS wants 2 characters; one is convenient in tests.
		external := form.Get("ExternalId")
		if len(external) > 1224 || !externalIDPattern.MatchString(external) {
			return answer{}, invalid("1 validation error detected: Value at 'externalId' failed to satisfy constraint")
		}
		principal += "[ext=" + external + "]"
	}
	return s.assumed(form, principal+"<"+who.principal, lifetime, ""), nil
}

// assumeRoleWithWebIdentity is the one that is not signed.
func (s *ECR) assumeRoleWithWebIdentity(form url.Values) (answer, *refusal) {
	role, lifetime, refused := roleRequest(form)
	if refused != nil {
		return answer{}, refused
	}
	claims, err := ReadJWT(form.Get("WebIdentityToken"))
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	if !s.principals.now().Before(claims.ExpiresAt) {
		return answer{}, refuse(http.StatusBadRequest, "ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
	}
	return s.assumed(form, "webid/"+role+"/"+claims.principal(), lifetime, claims.Subject), nil
}

// roleRequest checks what the two have in common, and returns the role as principals are written.
func roleRequest(form url.Values) (role string, lifetime time.Duration, refused *refusal) {
	m := roleARNPattern.FindStringSubmatch(form.Get("RoleArn"))
	if m == nil {
		return "", 0, invalid("the RoleArn is not the ARN of a role")
	}
	if !sessionNamePattern.MatchString(form.Get("RoleSessionName")) {
		return "", 0, invalid("1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint")
	}
	seconds := 3600
	if form.Has("DurationSeconds") {
		var err error
		if seconds, err = strconv.Atoi(form.Get("DurationSeconds")); err != nil || seconds < 900 || seconds > 43200 {
			return "", 0, invalid("1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must be from 900 to 43200")
		}
	}
	if role = m[2]; m[1] != Account {
		role = m[1] + ":" + role
	}
	return role, time.Duration(seconds) * time.Second, nil
}

func (s *ECR) assumed(form url.Values, principal string, lifetime time.Duration, subject string) answer {
	m := roleARNPattern.FindStringSubmatch(form.Get("RoleArn"))
	action, name := form.Get("Action"), form.Get("RoleSessionName")
	c := s.principals.Issue(principal, lifetime)
	return answer{
		XMLName: stsName(action + "Response"),
		Result: session{
			XMLName:     stsName(action + "Result"),
			User:        assumedUser{ID: "AROAFAKEFAKEFAKEFAKE:" + name, ARN: "arn:aws:sts::" + m[1] + ":assumed-role/" + m[2] + "/" + name},
			Credentials: xmlCredentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, awsTime(c.Expires)},
			Subject:     subject,
		},
	}
}

func stsName(local string) xml.Name {
	return xml.Name{Space: "https://sts.amazonaws.com/doc/2011-06-15/", Local: local}
}

func invalid(message string) *refusal {
	return &refusal{http.StatusBadRequest, "ValidationError", message}
}

// stsCodes are STS's words for what caller refuses, and its status.
var stsCodes = map[string]refusal{
	"ExpiredTokenException":               {status: http.StatusForbidden, code: "ExpiredToken"},
	"IncompleteSignatureException":        {status: http.StatusBadRequest, code: "IncompleteSignature"},
	"InvalidSignatureException":           {status: http.StatusForbidden, code: "SignatureDoesNotMatch"},
	"MissingAuthenticationTokenException": {status: http.StatusForbidden, code: "MissingAuthenticationToken"},
	"UnrecognizedClientException":         {status: http.StatusForbidden, code: "InvalidClientTokenId"},
}

// asSTS puts what caller refuses in the terms of STS.
func asSTS(e *refusal) *refusal {
	if sts, ok := stsCodes[e.code]; ok {
		return &refusal{sts.status, sts.code, e.message}
	}
	return e
}

// failSTS is an error of the query protocol.
func failSTS(w http.ResponseWriter, e *refusal) {
	fault := "Sender"
	if e.status >= 500 {
		fault = "Receiver"
	}
	writeXML(w, e.status, struct {
		XMLName   xml.Name
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}{stsName("ErrorResponse"), fault, e.code, e.message, "00000000-0000-0000-0000-000000000000"})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil { // our own structs always marshal
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the client has gone
}
