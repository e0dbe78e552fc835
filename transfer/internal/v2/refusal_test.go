package v2

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRefused reads the body of a refusal.
func FuzzRefused(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`))
	f.Add([]byte("<Error><Code>" + strings.Repeat("x", 9000)))
	f.Add(bytes.Repeat([]byte("<Error>"), 1000))
	f.Add([]byte("<Error><Code>AKIAIOSFODNN7EXAMPLE</Code>\n<Message>a\nb\x1b[2J</Message></Error>"))
	f.Add([]byte("<Error><Code>\u009b2J</Code></Error>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := Refused(&http.Response{Status: "400 Bad Request", Body: io.NopCloser(bytes.NewReader(data)), Request: &http.Request{URL: &url.URL{}}}).Error()
		if len(text) > 1000+len("GET ://: 400 Bad Request: ") || strings.ContainsAny(text, "\n\r\x1b\u009b") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
	})
}
