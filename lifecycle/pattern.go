package lifecycle

import (
	"strings"

	"github.com/ecrkit/ecrkit/internal/wildcard"
)

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
	patterns []wildcard.Pattern
}

func newTagRequirement(s Selection) tagRequirement {
	r := tagRequirement{status: s.TagStatus}
	for _, text := range s.patterns() {
		r.patterns = append(r.patterns, wildcard.Compile(text))
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
			if p.Match(tag) {
				continue next
			}
		}
		return false
	}
	return true
}
