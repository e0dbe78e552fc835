package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// notAPath says what to write where the name of a missing file is written as other programs take it: as a URL as for the
// AWS CLI, behind an @ as for curl, or as the content in its place.
func notAPath(err error) string {
	var missing *fs.PathError
	if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	name := strings.TrimSpace(missing.Path)
	for _, prefix := range []string{"file://", "fileb://", "@"} {
		if path, ok := strings.CutPrefix(name, prefix); ok && path != "" {
			if _, err := os.Stat(path); err == nil {
				return "write " + path
			}
			return "write a path, without " + prefix
		}
	}
	if strings.HasPrefix(name, "{") || strings.HasPrefix(name, "[") {
		return "name a file with the JSON, or - to read it from stdin"
	}
	return ""
}
