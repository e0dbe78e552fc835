// Package plaintext reads text files as the programs of Windows write them.
package plaintext

import (
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// NewReader returns a reader of a text as plain UTF-8. The text may be UTF-16 with a byte order mark, as > of PowerShell 5
// writes it, or UTF-8 with or without one.
func NewReader(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}
