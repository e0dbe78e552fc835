package sigv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// MaxExpires is the longest lifetime of a pre-signed URL:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
const MaxExpires = 7 * 24 * time.Hour

// maxAhead is how far a pre-signed URL's time may lie in the future (S3's
// allowance for clock skew).
const maxAhead = 15 * time.Minute

// ParseQuery reads a signature from the query of a pre-signed URL of S3's
// flavour: the payload is not signed, the path is encoded once. Errors are
// of kind ErrMissingAuthentication, ErrIncomplete, ErrSignatureMismatch, or
// ErrTwoMechanisms when there is an Authorization header too.
func ParseQuery(r *http.Request) (*Request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fail(ErrIncomplete, "The query string is not valid URL encoding.")
	}
	if !query.Has("X-Amz-Algorithm") && !query.Has("X-Amz-Signature") {
		return nil, ErrMissingAuthentication
	}
	if len(r.Header.Values("Authorization")) > 0 {
		return nil, ErrTwoMechanisms
	}
	params := map[string]string{}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if params[name], err = single(query[name], name); err != nil {
			return nil, err
		}
		if params[name] == "" {
			return nil, fail(ErrIncomplete, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "+
				"X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters. %s is missing.", name)
		}
	}
	if params["X-Amz-Algorithm"] != algorithm {
		return nil, fail(ErrIncomplete, "X-Amz-Algorithm only supports \"%s\"", algorithm)
	}

	req := &Request{PayloadHash: UnsignedPayload, signature: params["X-Amz-Signature"]}
	if req.SessionToken, err = single(query["X-Amz-Security-Token"], "X-Amz-Security-Token"); err != nil {
		return nil, err
	}
	if req.Time, err = time.Parse(timeFormat, params["X-Amz-Date"]); err != nil {
		return nil, fail(ErrIncomplete, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	seconds, err := strconv.Atoi(params["X-Amz-Expires"])
	switch {
	case err != nil:
		return nil, fail(ErrIncomplete, "X-Amz-Expires should be a number")
	case seconds < 1:
		return nil, fail(ErrIncomplete, "X-Amz-Expires must be positive")
	case seconds > int(MaxExpires/time.Second):
		return nil, fail(ErrIncomplete, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	req.Expires = time.Duration(seconds) * time.Second
	if err := req.readCredential(params["X-Amz-Credential"]); err != nil {
		return nil, err
	}
	if req.Service != "s3" {
		return nil, fail(ErrIncomplete, "Error parsing the X-Amz-Credential parameter; incorrect service %q. This endpoint belongs to \"s3\".", req.Service)
	}
	if err := req.canonicalize(r, params["X-Amz-SignedHeaders"], "X-Amz-Signature"); err != nil {
		return nil, err
	}
	return req, nil
}

// CheckExpiry refuses a pre-signed URL whose lifetime is over at now, or one
// from the future. The error is of kind ErrTimeSkew.
func (req *Request) CheckExpiry(now time.Time) error {
	switch {
	case !now.Before(req.Time.Add(req.Expires)):
		return fail(ErrTimeSkew, "Request has expired")
	case req.Time.After(now.Add(maxAhead)):
		return fail(ErrTimeSkew, "Request is not valid yet")
	}
	return nil
}

// Presign returns rawURL with a signature for S3's query authentication, valid
// for expires (whole seconds, at most MaxExpires) from now. The
// credentials' session token, if any, becomes part of the URL.
func Presign(ctx context.Context, method, rawURL string, credentials aws.Credentials, region string, now time.Time, expires time.Duration) (string, error) {
	if expires < time.Second || expires > MaxExpires {
		return "", fmt.Errorf("pre-signing: the lifetime %v is not between 1s and %v", expires, MaxExpires)
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return "", errors.New("pre-signing: the URL is not absolute or does not parse")
	}
	// S3 compares with its own strict encoding of the path, so send that one.
	u.RawPath = httpbinding.EscapePath(u.Path, false)
	query := u.Query()
	query.Set("X-Amz-Expires", strconv.FormatInt(int64(expires/time.Second), 10))
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("pre-signing for %s: %w", u.Host, err)
	}
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, r, UnsignedPayload, "s3", region, now,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		return "", fmt.Errorf("pre-signing for %s: %w", u.Host, err)
	}
	return signed, nil
}
