package v2

import (
	"strings"
	"testing"
	"unicode"
)

func TestDecodeErrors(t *testing.T) {
	tests := map[string][2]string{
		`{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"},{"code":"X"}]}`:       {"NAME_UNKNOWN", "no such repository"},
		`{"errors":[{"code":"DENIED","message":"see https://h/p?X-Amz-Signature=canary, now"}]}`: {"DENIED", "see https://h/p now"},
		`{"errors":[{"code":"a\nb","message":"\u001b[31mred"}]}`:                                 {"", "[31mred"},
		`{"errors":[]}`: {},
		`<Error><Code>ExpiredToken</Code><Message>see https://h/p?X-Amz-Signature=canary</Message></Error>`: {"ExpiredToken", "see https://h/p"},
		`<html>`: {},
		`null`:   {},
	}
	for body, want := range tests {
		code, message := decodeErrors([]byte(body))
		if code != want[0] || message != want[1] {
			t.Errorf("%s: %q, %q", body, code, message)
		}
	}
}

func FuzzDecodeErrors(f *testing.F) {
	f.Add([]byte(`{"errors":[{"code":"NAME_UNKNOWN","message":"see https://h/p?a=b","detail":{"x":1}}]}`))
	f.Add([]byte(`{"errors":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		code, message := decodeErrors(data)
		text := code + message
		if len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) && strings.ContainsAny(text, "\n\x1b") {
			t.Errorf("%q", text)
		}
		if i := strings.Index(message, "https://"); i >= 0 && strings.Contains(strings.Fields(message[i:])[0], "?") {
			t.Errorf("a query is shown: %q", message)
		}
	})
}
