package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// check returns what Amazon ECR refuses in rules, which are in the order of their text.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func check(rules []Rule, where locate) []Problem {
	c := checker{rules: rules, where: where}
	switch n := len(rules); {
	case n == 0:
		c.add(-1, "no-rules", "rules", "has no rule")
	case n > MaxRules:
		c.add(-1, "too-many-rules", "rules", "has %d rules; Amazon ECR accepts %d", n, MaxRules)
	}
	for i, rule := range rules {
		c.rule(i, rule)
		c.selection(i, rule)
	}
	c.together()
	return c.problems
}

type checker struct {
	rules    []Rule
	where    locate
	problems []Problem
}

func (c *checker) add(index int, code, field, format string, args ...any) {
	p := Problem{Severity: SeverityError, Code: code, Field: path(index, field), Message: fmt.Sprintf(format, args...)}
	p.Line, p.Column = c.where(index, field)
	if index >= 0 {
		p.Rule = max(c.rules[index].Priority, 0)
	}
	c.problems = append(c.problems, p)
}

func (c *checker) rule(i int, rule Rule) {
	if rule.Priority < 1 {
		c.add(i, "priority", "rulePriority", "must be at least 1, not %d", rule.Priority)
	}
	s, a := rule.Selection, rule.Action
	switch {
	case a.Type != ActionExpire && a.Type != ActionTransition:
		c.add(i, "value", "action.type", "must be \"expire\" or \"transition\", not %q", a.Type)
	case a.Type == ActionTransition && a.Target != Archive:
		c.add(i, "target", "action.targetStorageClass", "must be \"archive\" when type is \"transition\"")
	case a.Type == ActionExpire && a.Target != "":
		c.add(i, "target", "action.targetStorageClass", "must be left out when type is \"expire\"")
	}
	switch {
	case s.CountType == SinceImagePulled && a.Type == ActionExpire:
		c.add(i, "pulled-expire", "action.type", "images cannot be expired by \"sinceImagePulled\"; "+
			"\"transition\" them to the archive, and expire them there by \"sinceImageTransitioned\"")
	case s.CountType == SinceImageTransitioned && a.Type == ActionTransition:
		c.add(i, "transitioned-transition", "action.type", "images in the archive can only be expired")
	}
}

func (c *checker) selection(i int, rule Rule) {
	s := rule.Selection
	switch s.TagStatus {
	case Tagged:
		switch {
		case s.TagPatterns != nil && s.TagPrefixes != nil:
			c.add(i, "two-lists", "selection.tagPrefixList", "cannot be combined with tagPatternList")
		case len(s.TagPatterns) == 0 && len(s.TagPrefixes) == 0:
			c.add(i, "no-list", "selection.tagPatternList", "tagPatternList or tagPrefixList is required when tagStatus is \"tagged\"; "+
				"[\"*\"] matches any tag")
		}
		for n, p := range s.TagPatterns {
			field := fmt.Sprintf("selection.tagPatternList[%d]", n)
			if stars := strings.Count(p, "*"); stars > maxWildcards {
				c.add(i, "wildcards", field, "%.150q has %d wildcards (*); Amazon ECR accepts %d", p, stars, maxWildcards)
			}
			c.notEmpty(i, field, p)
		}
		for n, p := range s.TagPrefixes {
			c.notEmpty(i, fmt.Sprintf("selection.tagPrefixList[%d]", n), p)
		}
	case Untagged, AnyTags:
		if s.TagPatterns != nil {
			c.add(i, "list", "selection.tagPatternList", "must be left out when tagStatus is %q", s.TagStatus)
		}
		if s.TagPrefixes != nil {
			c.add(i, "list", "selection.tagPrefixList", "must be left out when tagStatus is %q", s.TagStatus)
		}
	default:
		c.add(i, "value", "selection.tagStatus", "must be \"tagged\", \"untagged\" or \"any\", not %q", s.TagStatus)
	}
	c.count(i, s)
}

func (c *checker) notEmpty(i int, field, text string) {
	if text == "" {
		c.add(i, "empty", field, "must not be empty")
	}
}

func (c *checker) count(i int, s Selection) {
	switch s.CountType {
	case ImageCountMoreThan:
		if s.CountUnit != "" {
			c.add(i, "unit", "selection.countUnit", "must be left out when countType is \"imageCountMoreThan\"")
		}
	case SinceImagePushed, SinceImagePulled, SinceImageTransitioned:
		if s.CountUnit != UnitDays {
			c.add(i, "unit", "selection.countUnit", "must be \"days\" when countType is %q", s.CountType)
		}
	default:
		c.add(i, "value", "selection.countType",
			"must be \"imageCountMoreThan\", \"sinceImagePushed\", \"sinceImagePulled\" or \"sinceImageTransitioned\", not %q", s.CountType)
		return
	}
	archived := s.CountType == SinceImageTransitioned
	switch {
	case archived && s.StorageClass != Archive:
		c.add(i, "class", "selection.storageClass", "must be \"archive\" when countType is \"sinceImageTransitioned\"")
	case !archived && s.Class() != Standard:
		c.add(i, "class", "selection.storageClass", "must be \"standard\", or left out, when countType is %q", s.CountType)
	}
	switch {
	case s.Count < 1:
		c.add(i, "count", "selection.countNumber", "must be at least 1, not %d", s.Count)
	case archived && s.Count < minArchiveDays:
		c.add(i, "count", "selection.countNumber", "must be at least %d: so many days an image stays in the archive", minArchiveDays)
	}
}

// together checks what rules must not have in common.
func (c *checker) together() {
	for i, rule := range c.rules {
		for j, earlier := range c.rules[:i] {
			a, b := earlier.Selection, rule.Selection
			if earlier.Priority == rule.Priority && rule.Priority > 0 {
				c.add(i, "same-priority", "rulePriority", "%d is that of rules[%d] too", rule.Priority, j)
			}
			if a.Class() != b.Class() {
				continue
			}
			switch {
			case a.TagStatus == Untagged && b.TagStatus == Untagged:
				c.add(i, "second-untagged", "selection.tagStatus", "rule %d is about untagged images of the storage class %s already; "+
					"there can be one such rule", earlier.Priority, b.Class())
			case a.TagStatus == AnyTags && b.TagStatus == AnyTags:
				c.add(i, "second-any", "selection.tagStatus", "rule %d is about all images of the storage class %s already; "+
					"there can be one such rule", earlier.Priority, b.Class())
			case a.TagStatus == Tagged && b.TagStatus == Tagged && (sameSet(a.TagPatterns, b.TagPatterns) || sameSet(a.TagPrefixes, b.TagPrefixes)):
				c.add(i, "same-tags", "selection", "rule %d is about the same tags of the storage class %s", earlier.Priority, b.Class())
			}
		}
	}
	for i, rule := range c.rules {
		for _, other := range c.rules {
			a, b := rule.Selection, other.Selection
			if a.TagStatus == AnyTags && b.TagStatus != AnyTags && a.Class() == b.Class() && other.Priority > rule.Priority {
				c.add(i, "any-not-last", "rulePriority", "a rule with tagStatus \"any\" must have the highest number of its storage class; rule %d has a higher one", other.Priority)
				break
			}
		}
	}
}

// sameSet reports whether the lists, which are not empty, have the same members.
func sameSet(a, b []string) bool {
	return len(a) > 0 && len(b) > 0 &&
		!slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) }) &&
		!slices.ContainsFunc(b, func(s string) bool { return !slices.Contains(a, s) })
}
