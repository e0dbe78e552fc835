package v2

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzS3Error reads the body of a refusal.
func FuzzS3Error(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`))
	f.Add([]byte("<Error><Code>" + strings.Repeat("x", 9000)))
	f.Add(bytes.Repeat([]byte("<Error>"), 1000))
	f.Add([]byte("<Error><Code>AKIAIOSFODNN7EXAMPLE</Code>\n<Message>a\nb\x1b[2J</Message></Error>"))
	f.Add([]byte("<Error><Code>\u009b2J</Code></Error>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := s3Error(bytes.NewReader(data))
		if len(text) > 1000 || strings.ContainsAny(text, "\n\r\x1b\u009b") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
	})
}
