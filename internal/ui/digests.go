package ui

import (
	"strings"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// digestInText finds the digests in a text, with what is left of them where they are cut short.
var digestInText = lazyregexp.New(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

// ShortenDigests cuts the digests in a text to the 12 digits that tell images apart, as docker does.
func ShortenDigests(text string) string { return digestInText.ReplaceAllString(text, "$1") }

// FitDigests is ShortenDigests where a line of the text is wider than a terminal of so many columns; 0 is no terminal.
func FitDigests(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
			return ShortenDigests(text)
		}
	}
	return text
}
