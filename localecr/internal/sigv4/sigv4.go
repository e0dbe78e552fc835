// Package sigv4 checks AWS Signature Version 4 on the server's side, in the
// Authorization header and in the query of a pre-signed URL, and makes
// pre-signed URLs with the SDK's signer.
//
// A check has three steps that the caller joins: Parse (or ParseQuery) says who
// claims to have signed and when, CheckTime (or CheckExpiry) judges the time,
// and Verify, with the secret that belongs to the access key ID, judges the
// signature. The payload's hash is only needed by Verify, so that a body can be
// streamed before it. Whether the scope's region and service are the ones
// served is for the caller to check.
//
// The rules are those of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
// Dot segments of a path are not normalised (the SDK's signer does not do it
// either); ECR, KMS and STS are only ever called at "/".
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// UnsignedPayload stands for the payload's hash where the body is not
	// signed, as in every pre-signed URL.
	UnsignedPayload = "UNSIGNED-PAYLOAD"

	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
)

// The kinds of failure. Errors of this package unwrap to one of them; their
// texts are what AWS sends to the client.
var (
	// ErrMissingAuthentication: the request carries no signature of this form.
	ErrMissingAuthentication error = kind("Missing Authentication Token")
	// ErrIncomplete: a part of the signature is missing or malformed; the
	// text names it.
	ErrIncomplete error = kind("The request signature is incomplete.")
	// ErrSignatureMismatch: the signature is not that of this request.
	ErrSignatureMismatch error = kind("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	// ErrTimeSkew: the signature is too old or from the future.
	ErrTimeSkew error = kind("The time of the request signature is out of range.")
	// ErrTwoMechanisms: a pre-signed URL was called with an Authorization header too.
	ErrTwoMechanisms error = kind("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, " +
		"Signature query string parameter or the Authorization header should be specified")
)

type kind string

func (k kind) Error() string { return string(k) }

// failure is an error of one of the kinds above with its own text.
type failure struct {
	kind error
	text string
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.kind }

func fail(kind error, format string, args ...any) error {
	return &failure{kind, fmt.Sprintf(format, args...)}
}

// Request is what a signed request says about its signature. Nothing in it is
// proven before Verify has returned nil.
type Request struct {
	AccessKeyID  string
	Region       string // of the credential scope
	Service      string // of the credential scope, as "ecr"
	Time         time.Time
	SessionToken string        // X-Amz-Security-Token, "" if not sent
	PayloadHash  string        // X-Amz-Content-Sha256, "" if not sent; UnsignedPayload for the query form
	Expires      time.Duration // the query form's lifetime, 0 for the header form

	scope     string // date/region/service/aws4_request
	signature string
	head      string // the canonical request up to and without the payload's hash
}

// Parse reads a signature from the Authorization header. Errors are of kind
// ErrMissingAuthentication, ErrIncomplete or ErrSignatureMismatch (the header
// contradicts itself or leaves a header unsigned that must be signed).
func Parse(r *http.Request) (*Request, error) {
	auth, err := single(r.Header.Values("Authorization"), "Authorization")
	if err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(auth, " ")
	if !strings.HasPrefix(scheme, "AWS") {
		return nil, ErrMissingAuthentication
	}
	if scheme != algorithm {
		return nil, fail(ErrIncomplete, "Unsupported AWS 'algorithm': %q.", scheme)
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := params[name]; !ok || twice {
			return nil, fail(ErrIncomplete, "%q is not a valid key=value pair (missing equal-sign, or given twice) in Authorization header.", name)
		}
		params[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if params[name] == "" {
			return nil, fail(ErrIncomplete, "Authorization header requires '%s' parameter.", name)
		}
	}
	if len(params) != 3 {
		return nil, fail(ErrIncomplete, "Authorization header has parameters besides Credential, SignedHeaders and Signature.")
	}

	req := &Request{signature: params["Signature"]}
	if req.SessionToken, err = single(r.Header.Values("X-Amz-Security-Token"), "X-Amz-Security-Token"); err != nil {
		return nil, err
	}
	if req.PayloadHash, err = single(r.Header.Values("X-Amz-Content-Sha256"), "X-Amz-Content-Sha256"); err != nil {
		return nil, err
	}
	dateHeader, err := req.readTime(r.Header)
	if err != nil {
		return nil, err
	}
	if err := req.readCredential(params["Credential"]); err != nil {
		return nil, err
	}
	if err := req.canonicalize(r, params["SignedHeaders"], "", dateHeader, "content-type"); err != nil {
		return nil, err
	}
	return req, nil
}

// readTime takes the time from X-Amz-Date, or from Date where that is not sent,
// and returns the name of the header it came from.
func (req *Request) readTime(h http.Header) (string, error) {
	date, err := single(h.Values("X-Amz-Date"), "X-Amz-Date")
	if err != nil {
		return "", err
	}
	if date != "" {
		if req.Time, err = time.Parse(timeFormat, date); err != nil {
			return "", fail(ErrIncomplete, "Date must be in ISO-8601 'basic format'. Got %q. See http://en.wikipedia.org/wiki/ISO_8601", date)
		}
		return "x-amz-date", nil
	}
	if date, err = single(h.Values("Date"), "Date"); err != nil {
		return "", err
	}
	if date == "" {
		return "", fail(ErrIncomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if req.Time, err = time.Parse(timeFormat, date); err != nil {
		if req.Time, err = http.ParseTime(date); err != nil {
			return "", fail(ErrIncomplete, "The 'Date' header %q is not a valid date.", date)
		}
	}
	req.Time = req.Time.UTC()
	return "date", nil
}

// readCredential splits "keyid/date/region/service/aws4_request". The time must
// be known.
func (req *Request) readCredential(credential string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 {
		return fail(ErrIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got %d.", len(parts))
	}
	for i, name := range []string{"keyid", "date", "region", "service"} {
		if !isWord(parts[i]) {
			return fail(ErrIncomplete, "The element %s of Credential is empty or has invalid characters.", name)
		}
	}
	if parts[4] != terminator {
		return fail(ErrIncomplete, "Credential should be scoped with a valid terminator: '%s'.", terminator)
	}
	at := req.Time.Format(timeFormat)
	if parts[1] != at[:8] {
		return fail(ErrSignatureMismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			parts[1], at[:8], at)
	}
	req.AccessKeyID, req.Region, req.Service = parts[0], parts[2], parts[3]
	req.scope = strings.Join(parts[1:], "/")
	return nil
}

// Verify compares the request's signature with the one computed from secret, in
// constant time. payloadHash is the lower-case hex SHA-256 of the body that
// was read, or UnsignedPayload where the caller accepts that; the header
// X-Amz-Content-Sha256 is not believed. It returns ErrSignatureMismatch or nil.
func (req *Request) Verify(secret, payloadHash string) error {
	canonical := sha256.Sum256([]byte(req.head + payloadHash))
	toSign := algorithm + "\n" + req.Time.Format(timeFormat) + "\n" + req.scope + "\n" + hex.EncodeToString(canonical[:])
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(req.scope, "/") {
		key = sum(key, part)
	}
	want := hex.EncodeToString(sum(key, toSign))
	if subtle.ConstantTimeCompare([]byte(want), []byte(req.signature)) != 1 {
		return ErrSignatureMismatch
	}
	return nil
}

// CheckTime refuses a signature made at t when it differs from now by more than
// skew (AWS: 5 minutes). The error is of kind ErrTimeSkew.
func CheckTime(t, now time.Time, skew time.Duration) error {
	f := func(t time.Time) string { return t.UTC().Format(timeFormat) }
	switch minutes := int(skew / time.Minute); {
	case t.Before(now.Add(-skew)):
		return fail(ErrTimeSkew, "Signature expired: %s is now earlier than %s (%s - %d min.)", f(t), f(now.Add(-skew)), f(now), minutes)
	case t.After(now.Add(skew)):
		return fail(ErrTimeSkew, "Signature not yet current: %s is still later than %s (%s + %d min.)", f(t), f(now.Add(skew)), f(now), minutes)
	}
	return nil
}

func sum(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// single returns the only value, "" if there is none, and refuses several: which
// of them was signed would be a guess.
func single(values []string, name string) (string, error) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", fail(ErrIncomplete, "'%s' is given more than once.", name)
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != ""
}
