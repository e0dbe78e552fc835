// Package wildcard matches names with patterns in which * stands for any text, as in the filters and
// lifecycle policies of Amazon ECR.
package wildcard

import "strings"

// Pattern is text in which * stands for any text: none at all, and / too. It matches names as a whole.
type Pattern struct {
	// exact is the whole pattern if there is no * in it; else it is prefix, between and suffix with a *
	// between each.
	exact          string
	wild           bool
	prefix, suffix string
	between        []string
	shortest       int // length of the shortest text that matches
}

// Compile reads a pattern. There is no way to escape a *.
func Compile(pattern string) Pattern {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return Pattern{exact: pattern}
	}
	last := len(parts) - 1
	p := Pattern{wild: true, prefix: parts[0], suffix: parts[last], shortest: len(pattern) - last}
	for _, part := range parts[1:last] {
		if part != "" {
			p.between = append(p.between, part)
		}
	}
	return p
}

// Match reports whether the pattern matches the whole of s.
func (p Pattern) Match(s string) bool {
	if !p.wild {
		return s == p.exact
	}
	if len(s) < p.shortest || !strings.HasPrefix(s, p.prefix) || !strings.HasSuffix(s, p.suffix) {
		return false
	}
	s = s[len(p.prefix) : len(s)-len(p.suffix)]
	for _, part := range p.between {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// Match reports whether pattern matches the whole of name.
func Match(pattern, name string) bool { return Compile(pattern).Match(name) }
