package cli

import (
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// openText opens a file of text that a user names. What > of PowerShell 5 and some editors write, UTF-16 or a byte order
// mark in front, is read as plain UTF-8.
func (app *App) openText(path string) (io.ReadCloser, error) {
	f, err := app.open(path)
	if err != nil {
		return nil, err
	}
	return textFile{transform.NewReader(f, unicode.BOMOverride(transform.Nop)), f}, nil
}

type textFile struct {
	io.Reader
	io.Closer
}
