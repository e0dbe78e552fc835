// Package nearest finds what somebody may have meant who mistyped a name.
package nearest

import (
	"fmt"
	"slices"
	"strings"
)

// Names returns the names that are most like the missing one, at most three: those
// within a third of its length by edits, or that have it as their last element.
func Names(missing string, names []string) []string {
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

// NotOneOf returns the text of a value that has to be one of others: "LOWW" is not one of HIGH, LOW; did you mean LOW?
func NotOneOf[T ~string](wrong string, names []T) string {
	list := make([]string, len(names))
	meant := ""
	for i, name := range names {
		list[i] = string(name)
		if strings.EqualFold(wrong, list[i]) {
			meant = list[i]
		}
	}
	if near := Names(wrong, list); meant == "" && len(near) > 0 {
		meant = near[0]
	}
	text := fmt.Sprintf("%q is not one of %s", wrong, strings.Join(list, ", "))
	if meant != "" {
		text += fmt.Sprintf("; did you mean %s?", meant)
	}
	return text
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
