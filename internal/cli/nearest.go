package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
	near := nearest(missing, names)
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

// nearest returns the names that are most like the missing one, at most three: those
// within a third of its length by edits, or that have it as their last element.
func nearest(missing string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, name := range names {
		d := distance(missing, name)
		if (d > max(1, len(missing)/3) || d >= len(missing)) && !strings.HasSuffix(name, "/"+missing) && !strings.HasSuffix(missing, "/"+name) {
			continue
		}
		near = append(near, candidate{name, d})
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var found []string
	for _, c := range near[:min(3, len(near))] {
		found = append(found, c.name)
	}
	return found
}

// distance returns how many bytes are to be added, removed or replaced to make b of a,
// where two that are swapped count once.
func distance(a, b string) int {
	var before, last, now []int
	last = make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now = make([]int, len(b)+1)
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
