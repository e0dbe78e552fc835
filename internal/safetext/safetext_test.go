package safetext

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWriter(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain\ttext\n":               "plain\ttext\n",
		"größe 大小 …\n":                "größe 大小 …\n",
		"\x1b]0;title\x07\x1b[2J":     `\u001b]0;title\u0007\u001b[2J`,
		"a\rb":                        `a\u000db`,
		"a\r\nb":                      "a\r\nb",
		"\u009b31m\u0085\x7f":         `\u009b31m\u0085\u007f`,
		"\x9b31m":                     `\x9b31m`,
		"\u202etxt.exe\u2066\u2028":   `\u202etxt.exe\u2066\u2028`,
		"cut \xe5\xa4":                "cut ",
		"wrong \xe5\xa4x\xc0\xaf\xff": `wrong \xe5\xa4x\xc0\xaf\xff`,
	} {
		for _, step := range []int{1, 3, len(in)} {
			var out strings.Builder
			w := NewWriter(&out)
			for rest := in; rest != ""; {
				n := min(step, len(rest))
				if got, err := w.Write([]byte(rest[:n])); got != n || err != nil {
					t.Fatalf("%d, %v", got, err)
				}
				rest = rest[n:]
			}
			if out.String() != want {
				t.Errorf("%q by %d: got %q, want %q", in, step, out.String(), want)
			}
		}
	}
	if got := Line("one\ntwo\x1b[1m\xe5"); got != `one two\u001b[1m\xe5` {
		t.Errorf("got %q", got)
	}
}

// FuzzWriter checks that no control character passes, and that JSON stays what it was.
func FuzzWriter(f *testing.F) {
	f.Add("a\x1b\u009b", 1)
	f.Add("\r\r\n", 2)
	f.Add("\"?\xfb\"", 1)
	f.Fuzz(func(t *testing.T, s string, at int) {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{[]byte(s), data} {
			var out strings.Builder
			w := NewWriter(&out)
			cut := min(max(at, 0), len(text))
			for _, part := range [][]byte{text[:cut], text[cut:]} {
				if _, err := w.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			got := out.String()
			if !utf8.ValidString(got) || strings.ContainsFunc(strings.ReplaceAll(got, "\r\n", ""), isControl) {
				t.Errorf("%q became %q", text, got)
			}
			var before, after string
			isJSON := utf8.Valid(text) && json.Unmarshal(text, &before) == nil // which is UTF-8 by RFC 8259
			if isJSON && !bytes.ContainsRune(text, '\r') {
				if err := json.Unmarshal([]byte(got), &after); err != nil || after != before {
					t.Errorf("%s became %s: %v", text, got, err)
				}
			}
		}
	})
}

func TestMaskUsers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"proxyconnect http://bob:secret@proxy:3128: refused": "proxyconnect http://…@proxy:3128: refused",
		"`tcp://bob:se%2fcret@host`, \"https://x@y\"":        "`tcp://…@host`, \"https://…@y\"",
		"GET https://host/v2/app@sha256:00, app@sha256:00":   "GET https://host/v2/app@sha256:00, app@sha256:00",
	} {
		if got := MaskUsers(in); got != want {
			t.Errorf("got %s", got)
		}
	}
}
