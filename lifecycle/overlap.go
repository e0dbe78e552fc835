package lifecycle

import "github.com/ecrkit/ecrkit/internal/wildcard"

// covers reports whether every text that matches q matches p.
func covers(p, q string) bool {
	// A * of q can be any text, so only a * of p can match it.
	return wildcard.Match(p, q)
}

// overlap reports whether there is a text that matches both patterns.
func overlap(p, q string) bool {
	// reached[j] says that p so far and q[:j] can match the same text.
	reached := make([]bool, len(q)+1)
	reached[0] = true
	step := func(row []bool) { // a * of q can be nothing
		for j := range len(q) {
			if q[j] == '*' {
				row[j+1] = row[j+1] || row[j]
			}
		}
	}
	step(reached)
	for i := range len(p) {
		next := make([]bool, len(q)+1)
		for j, ok := range reached {
			if !ok {
				continue
			}
			switch {
			case p[i] == '*':
				// It takes any continuation of q.
				for k := j; k <= len(q); k++ {
					next[k] = true
				}
			case j < len(q) && q[j] == '*':
				next[j] = true // the * of q takes it, and may take more
			case j < len(q) && q[j] == p[i]:
				next[j+1] = true
			}
		}
		step(next)
		reached = next
	}
	return reached[len(q)]
}

// coversAll reports whether every image with the tags that b asks for has those that a
// asks for.
func coversAll(a, b Selection) bool {
	for _, p := range a.patterns() {
		covered := false
		for _, q := range b.patterns() {
			covered = covered || covers(p, q)
		}
		if !covered {
			return false
		}
	}
	return true
}

// matchesAnyTag reports whether an image with any tag at all meets the selection.
func (s Selection) matchesAnyTag() bool {
	return s.TagStatus == Tagged && coversAll(s, Selection{TagStatus: Tagged, TagPatterns: []string{"*"}})
}
