package lifecycle

import "strings"

// pattern is text in which * stands for any text, also none.
type pattern struct {
	// exact is the whole pattern if there is no * in it; else it is prefix, between
	// and suffix with a * between each.
	exact          string
	wild           bool
	prefix, suffix string
	between        []string
	shortest       int // length of the shortest text that matches
}

func newPattern(s string) pattern {
	parts := strings.Split(s, "*")
	if len(parts) == 1 {
		return pattern{exact: s}
	}
	last := len(parts) - 1
	p := pattern{wild: true, prefix: parts[0], suffix: parts[last], shortest: len(s) - last}
	for _, part := range parts[1:last] {
		if part != "" {
			p.between = append(p.between, part)
		}
	}
	return p
}

func (p pattern) match(s string) bool {
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

// patterns are what the tags of an image must match, each a tag, with prefixes
// written as patterns. There are none unless the status is Tagged.
func (s Selection) patterns() []string {
	if len(s.TagPrefixes) == 0 {
		return s.TagPatterns
	}
	texts := make([]string, len(s.TagPrefixes))
	for i, prefix := range s.TagPrefixes {
		texts[i] = strings.ReplaceAll(prefix, "*", literalStar) + "*"
	}
	return texts
}

// literalStar is a * of a prefix in a pattern. As no tag has a *, none has this.
const literalStar = "\x00"

// shown is a pattern of patterns() for people.
func shown(pattern string) string { return strings.ReplaceAll(pattern, literalStar, "*") }

// tagRequirement is what a rule wants of the tags of an image. If the status is Tagged
// there is a pattern.
type tagRequirement struct {
	status   TagStatus
	patterns []pattern
}

func newTagRequirement(s Selection) tagRequirement {
	r := tagRequirement{status: s.TagStatus}
	for _, text := range s.patterns() {
		r.patterns = append(r.patterns, newPattern(text))
	}
	return r
}

func (r tagRequirement) match(tags []string) bool {
	switch r.status {
	case AnyTags:
		return true
	case Untagged:
		return len(tags) == 0
	}
next:
	for _, p := range r.patterns {
		for _, tag := range tags {
			if p.match(tag) {
				continue next
			}
		}
		return false
	}
	return true
}
