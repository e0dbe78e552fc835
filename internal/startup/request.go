package startup

import (
	"slices"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// prefixes begin the variables that may decide the answer to a get. They cover
// more than is read: a new variable needs no change here.
var prefixes = []string{"AWS_", "ECRKIT_", "XDG_", "ACTIONS_ID_TOKEN_REQUEST_", "HOME=", "USERPROFILE=", "APPDATA=", "LOCALAPPDATA="}

// Request returns the name of a get of a host in an environment, for
// [tokenfile.Dir.Follow].
func Request(host string, variables []string) string {
	head := []string{"ecrkit request", tokenfile.KeyVersion, host}
	text := append(make([]string, 0, len(head)+len(variables)), head...)
	for _, variable := range variables {
		if decisive(variable) {
			text = append(text, variable)
		}
	}
	slices.Sort(text[len(head):])
	return tokenfile.Digest(text...)
}

// decisive reports whether a variable is part of a request. Names are compared
// without case, as on Windows: elsewhere some requests differ that need not.
func decisive(variable string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return hasPrefixFold(variable, prefix) })
}
