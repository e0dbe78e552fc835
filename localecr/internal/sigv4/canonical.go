package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/httpbinding"
)

// canonicalize builds the canonical request up to the payload's hash.
// signedHeaders is the list as sent; required are further headers that must be
// in it when they are present. The query parameter omit is left out.
func (req *Request) canonicalize(r *http.Request, signedHeaders, omit string, required ...string) error {
	names := strings.Split(signedHeaders, ";")
	for i, name := range names {
		if !isWord(name) || name != strings.ToLower(name) || (i > 0 && names[i-1] >= name) {
			return fail(ErrIncomplete, "SignedHeaders must be a sorted list of distinct lower-case header names, got %q.", signedHeaders)
		}
	}
	if !slices.Contains(names, "host") {
		return fail(ErrSignatureMismatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for key := range r.Header {
		key = strings.ToLower(key)
		must := strings.HasPrefix(key, "x-amz-") || slices.Contains(required, key)
		if must && !slices.Contains(names, key) {
			return fail(ErrSignatureMismatch, "There were headers present in the request which were not signed: %q.", key)
		}
	}
	query, err := canonicalQuery(r.URL.RawQuery, omit)
	if err != nil {
		return err
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if req.Service != "s3" {
		// Every service but S3 encodes the sent path again.
		path = httpbinding.EscapePath(path, false)
	}

	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + query + "\n")
	for _, name := range names {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	b.WriteString("\n" + signedHeaders + "\n")
	req.head = b.String()
	return nil
}

// headerValue is the canonical value of a header: values joined by commas, runs
// of spaces made one. net/http keeps Host, and for requests made by hand
// Content-Length, outside the header map.
func headerValue(r *http.Request, name string) string {
	values := r.Header.Values(name)
	switch {
	case name == "host":
		values = []string{r.Host}
	case name == "content-length" && len(values) == 0 && r.ContentLength > 0:
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	clean := make([]string, len(values))
	for i, v := range values {
		words := strings.FieldsFunc(strings.TrimSpace(v), func(c rune) bool { return c == ' ' })
		clean[i] = strings.Join(words, " ")
	}
	return strings.Join(clean, ",")
}

// canonicalQuery encodes every name and value again and sorts the encoded pairs.
func canonicalQuery(raw, omit string) (string, error) {
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return "", fail(ErrIncomplete, "The query string is not valid URL encoding.")
		}
		if omit == "" || name != omit {
			pairs = append(pairs, [2]string{httpbinding.EscapePath(name, true), httpbinding.EscapePath(value, true)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	encoded := make([]string, len(pairs))
	for i, p := range pairs {
		encoded[i] = p[0] + "=" + p[1]
	}
	return strings.Join(encoded, "&"), nil
}
