package cli

import (
	"strings"

	"github.com/ecrkit/ecrkit/transfer/ref"
)

// maskUserOf returns text without the user and password of an argument USER:PASSWORD@HOST, which ends up in the log of a
// job with the message that it is wrong.
func maskUserOf(args []string, text string) string {
	for _, arg := range args {
		user, _, ok := strings.Cut(arg, "@")
		if ok && strings.Contains(user, ":") && ref.CheckUser(arg) != nil {
			text = strings.ReplaceAll(text, user+"@", "…@")
		}
	}
	return text
}
