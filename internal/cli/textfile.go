package cli

import (
	"io"

	"github.com/ecrkit/ecrkit/internal/plaintext"
)

// openText opens a file of text that a user names, in UTF-8 or UTF-16.
func (app *App) openText(path string) (io.ReadCloser, error) {
	f, err := app.open(path)
	if err != nil {
		return nil, err
	}
	return textFile{plaintext.NewReader(f), f}, nil
}

type textFile struct {
	io.Reader
	io.Closer
}
