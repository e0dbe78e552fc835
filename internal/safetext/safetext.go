// Package safetext keeps texts of strangers from commanding a terminal: names in an
// archive, the words of a registry. A program writes its messages and results through
// a [Writer], so that no place that makes a text has to think of it.
package safetext

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Writer passes text on in which control characters, characters that change the
// direction of a line, and bytes that are not UTF-8 are written as escapes: \u001b,
// \x9b. Newlines and tabs stay. Inside a JSON string the escape of a character is the
// character, so JSON stays what it was, if no carriage return is between its strings. A
// Writer is safe for concurrent use.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	rest []byte // the beginning of a character
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements [io.Writer]. The bytes of a character that is not complete yet wait
// for the next call.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.rest) > 0 {
		text = append(w.rest, p...)
		w.rest = nil
	}
	if !isPlain(text) {
		text, w.rest = escaped(text)
	}
	if _, err := w.w.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// isPlain reports whether a text is ASCII without control characters.
func isPlain(text []byte) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf || isControl(r) }) < 0
}

func escaped(text []byte) (out, rest []byte) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			if !utf8.FullRune(text) {
				return out, bytes.Clone(text)
			}
			out = fmt.Appendf(out, `\x%02x`, text[0])
		case r == '\r' && len(text) == 1:
			return out, bytes.Clone(text)
		case r == '\r' && text[1] == '\n':
			out = append(out, '\r')
		case isControl(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out, nil
}

// isControl reports whether a character commands a terminal or reorders its line: C0 and
// C1 controls but newline and tab, the bidirectional controls of
// https://www.unicode.org/reports/tr9/, and the separators of lines.
func isControl(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// Line returns s as one line, with the escapes of a [Writer].
func Line(s string) string {
	out, rest := escaped([]byte(s))
	for _, b := range rest {
		out = fmt.Appendf(out, `\x%02x`, b)
	}
	return string(bytes.ReplaceAll(out, []byte("\n"), []byte(" ")))
}

var userOfURL = lazyregexp.New("//[^/@\\s\"'`]*@")

// MaskUsers returns s with the user and password of each URL masked, whoever has put
// them into the text.
func MaskUsers(s string) string { return userOfURL.ReplaceAllString(s, "//…@") }
