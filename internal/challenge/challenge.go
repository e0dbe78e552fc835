// Package challenge separates the challenges of an answer 401 Unauthorized. A registry may put several into one header
// field, as in "Negotiate, Bearer realm=…", and go-containerregistry reads one of each field:
// https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1.
package challenge

import (
	"net/http"
	"strings"
)

const field = "Www-Authenticate"

// Transport returns a transport whose answers have one header field for each challenge.
func Transport(next http.RoundTripper) http.RoundTripper { return separating{next} }

type separating struct{ next http.RoundTripper }

func (s separating) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.next.RoundTrip(r)
	if err == nil && answer.StatusCode == http.StatusUnauthorized {
		Separate(answer.Header)
	}
	return answer, err
}

// Separate makes each challenge a header field of its own, in their order. What is no challenge stays as it is.
func Separate(h http.Header) {
	var separate []string
	for _, value := range h[field] {
		if found := split(value); len(found) > 0 {
			separate = append(separate, found...)
		} else {
			separate = append(separate, value)
		}
	}
	if len(separate) > 0 {
		h[field] = separate
	}
}

// split returns the challenges of a header field, each with its parameters, of which those without a value are left out.
func split(value string) []string {
	var found []string
	for _, element := range elements(value) {
		name, rest := token(element)
		if name == "" {
			continue
		}
		text, isParameter := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "=")
		switch {
		case !isParameter && (rest == "" || rest[0] == ' ' || rest[0] == '\t'):
			found = append(found, name)
			// Behind the scheme is its first parameter, or one text without a name, which no scheme that we know has.
			if name, rest = token(strings.TrimLeft(rest, " \t")); name == "" {
				continue
			}
			if text, isParameter = strings.CutPrefix(strings.TrimLeft(rest, " \t"), "="); !isParameter {
				continue
			}
		case !isParameter || len(found) == 0:
			continue
		}
		argument, ok := unquoted(strings.TrimLeft(text, " \t"))
		if !ok || argument == "" {
			continue
		}
		last := &found[len(found)-1]
		separator := ","
		if !strings.Contains(*last, "=") {
			separator = " "
		}
		*last += separator + name + `="` + quoting.Replace(argument) + `"`
	}
	return found
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// elements are the parts of a list between commas that are not quoted, without the space around them.
func elements(list string) []string {
	var parts []string
	begin, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			parts = append(parts, strings.Trim(list[begin:i], " \t"))
			begin = i + 1
		}
	}
	return append(parts, strings.Trim(list[begin:], " \t"))
}

// token returns the token at the beginning of text, and what is behind it:
// https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2.
func token(text string) (name, rest string) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// unquoted returns a token, or what a quoted string contains. It reports whether text is one of them.
func unquoted(text string) (string, bool) {
	inner, isQuoted := strings.CutPrefix(text, `"`)
	if !isQuoted {
		name, rest := token(text)
		return name, rest == ""
	}
	var content strings.Builder
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '"':
			return content.String(), i == len(inner)-1
		case '\\':
			if i++; i == len(inner) {
				return "", false
			}
		}
		content.WriteByte(inner[i])
	}
	return "", false
}
