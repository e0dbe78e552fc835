package warm

import (
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// prefixes are of the variables that bear on the answer to a get. They are more
// than are read: a new one needs no change here.
var prefixes = []string{"AWS_", "ECRKIT_", "XDG_", "HOME=", "USERPROFILE=", "APPDATA=", "LOCALAPPDATA="}

// Request names a get of a host in an environment, for [tokenfile.Dir.Follow].
func Request(host string, variables []string) string {
	head := []string{"ecrkit request", tokenfile.KeyVersion, host}
	text := append(make([]string, 0, len(head)+len(variables)), head...)
	for _, variable := range variables {
		if bears(variable) {
			text = append(text, variable)
		}
	}
	slices.Sort(text[len(head):])
	return tokenfile.Digest(text...)
}

// bears says that a variable is part of a request. Names are compared without
// case, as on Windows: elsewhere this makes requests differ that need not.
func bears(variable string) bool {
	for _, prefix := range prefixes {
		if len(variable) >= len(prefix) && strings.EqualFold(variable[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}
