// Package markdown writes texts of others into a comment in GitHub's Markdown, where
// they must not mean anything.
package markdown

import (
	"fmt"
	"strings"
	"unicode"
)

// Code shows a text as it is, in the letters of code. It is made of HTML, and of
// character references for what Markdown or GitHub would take for something: an element
// that is code has no mentions either.
func Code(s string) string {
	if s = Plain(s); s == "" {
		return ""
	}
	return "<code>" + s + "</code>"
}

// Plain makes one line of a text, in which each character that could mean something is
// a reference.
func Plain(s string) string {
	s = OneLine(s)
	dots := strings.Contains(strings.ToLower(s), "www.")
	var out strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 127, strings.ContainsRune(" -,;()%", r), r == '.' && !dots:
			out.WriteRune(r)
		case r == '@':
			out.WriteString("&#64;\u2060") // a word joiner: no mention, and nothing to see
		default:
			fmt.Fprintf(&out, "&#%d;", r)
		}
	}
	return out.String()
}

// OneLine makes one line of a text, without what commands a terminal or turns the
// direction of writing.
func OneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
