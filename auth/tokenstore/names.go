package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
	"github.com/ecrkit/ecrkit/internal/tokenwrite"
)

// The extensions of the files of a key.
const (
	entryExt    = tokenfile.EntryExt
	shortcutExt = tokenfile.ShortcutExt
	failureExt  = ".failure"
	lockExt     = ".lock"
	badExt      = tokenwrite.BadExt
	tempExt     = tokenwrite.TempExt // after another extension
)

// extensions are all extensions of a key's files.
var extensions = []string{entryExt, shortcutExt, failureExt, lockExt, badExt, entryExt + tempExt, shortcutExt + tempExt, failureExt + tempExt}

// fileName is the name of a file of the store. For a shortcut the key is the
// request.
type fileName struct {
	key Key
	ext string
}

func (n fileName) String() string { return n.key.String() + n.ext }

// isTemp reports whether the file is one that is being written.
func (n fileName) isTemp() bool { return strings.HasSuffix(n.ext, tempExt) }

// parseName parses the name of a file. Names that are not the store's are not ok.
func parseName(name string) (n fileName, ok bool) {
	first := strings.IndexByte(name, '.')
	for ; first >= 0; first = next(name, first) {
		if slices.Contains(extensions, name[first:]) {
			key, ok := tokenfile.ParseKey(name[:first])
			return fileName{key, name[first:]}, ok
		}
	}
	return fileName{}, false
}

// next returns the index of the next period after i, or -1.
func next(name string, i int) int {
	if j := strings.IndexByte(name[i+1:], '.'); j >= 0 {
		return i + 1 + j
	}
	return -1
}

// names returns the names of the store's files, without the hosts and without the
// files of anybody else.
func (s *Store) names() ([]fileName, error) {
	directory, err := os.Open(s.directory())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("token cache: %w", err)
	}
	defer directory.Close()
	all, err := directory.Readdirnames(-1)
	var names []fileName
	for _, name := range all {
		if n, ok := parseName(name); ok {
			names = append(names, n)
		}
	}
	return names, err
}
