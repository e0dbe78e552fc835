package v2

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
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

// TestVerdicts tells what is retried.
func TestVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want retry.Verdict
	}{
		"credentials":       {fmt.Errorf("%w: elsewhere", ErrCredentials), retry.Final},
		"plain HTTP":        {fmt.Errorf("%w: host", auth.ErrPlainHTTP), retry.Final},
		"no token":          {&auth.Error{Err: errors.New("no")}, retry.Final},
		"wrong content":     {fmt.Errorf("%w: digest", content.ErrIntegrity), retry.Final},
		"no registry":       {fmt.Errorf("%w: a page", content.ErrProtocol), retry.Final},
		"source":            {&content.SourceError{Err: io.ErrUnexpectedEOF}, retry.Final},
		"reset":             {io.ErrUnexpectedEOF, retry.Transient},
		"missing":           {&Error{Status: 404}, retry.Final},
		"lost upload":       {&Error{Status: 404, Code: "BLOB_UPLOAD_UNKNOWN"}, retry.Transient},
		"busy":              {&Error{Status: 503}, retry.Transient},
		"throttled":         {&Error{Status: 429}, retry.Throttled},
		"throttled by code": {&Error{Status: 400, Code: "TOOMANYREQUESTS"}, retry.Throttled},
		"refused":           {&Error{Status: 403}, retry.Final},
		"expired URL":       {&Error{Status: 403, Elsewhere: true}, retry.Transient},
		"expired session":   {&Error{Status: 400, Code: "ExpiredToken", Elsewhere: true}, retry.Transient},
		"wrong request":     {&Error{Status: 400, Code: "InvalidArgument", Elsewhere: true}, retry.Final},
	} {
		if got, _ := retry.Judge(t.Context(), tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
