package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/nearest"
)

const (
	// adviceTime bounds the one request that advice may need.
	adviceTime = 2 * time.Second
	// adviceEntries is how many names are read for advice: a page of a list.
	adviceEntries = 1000
	// adviceNames is how many names a message shows.
	adviceNames = 5
)

// existing returns what exists in the place of a missing name: the names like it, or
// all if they are few, or the command that lists them.
func existing(missing string, names []string, one, several, command string) string {
	near := nearest.Names(missing, names)
	switch {
	case len(names) == 0:
		return "there are no " + several
	case len(near) > 0:
		return fmt.Sprintf("did you mean %s?", or(near))
	case len(names) == 1:
		return fmt.Sprintf("the only %s is %s", one, names[0])
	case len(names) <= adviceNames:
		return fmt.Sprintf("existing %s: %s", several, strings.Join(names, ", "))
	}
	return fmt.Sprintf("`%s` lists the existing %s", command, several)
}

// or joins names for a question.
func or(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
