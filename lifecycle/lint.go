package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"
)

// Lint returns what Amazon ECR refuses in the text of a policy. If that is nothing, it
// returns what may surprise, in the order of the text.
func Lint(text []byte) []Problem {
	rules, where, problems := read(text)
	if len(problems) > 0 {
		return problems
	}
	l := linter{rules: newPolicy(rules).rules}
	for _, rule := range l.rules {
		l.rule(rule)
	}
	l.archive()
	order := make(map[int]int)
	for i, rule := range rules {
		order[rule.Priority] = i
	}
	for i := range l.problems {
		p := &l.problems[i]
		p.Line, p.Column = where(order[p.Rule], p.Field)
		p.Field = path(order[p.Rule], p.Field)
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int { return order[a.Rule] - order[b.Rule] })
	return l.problems
}

type linter struct {
	rules    []Rule // by priority
	problems []Problem
}

func (l *linter) add(severity Severity, code string, rule Rule, field, format string, args ...any) {
	l.problems = append(l.problems, Problem{Severity: severity, Code: code, Rule: rule.Priority, Field: field, Message: fmt.Sprintf(format, args...)})
}

// maxCompared is how many patterns a rule can have and be compared with others. A
// policy has room for thousands, of which each would be compared with each.
const maxCompared = 200

func (l *linter) rule(rule Rule) {
	s := rule.Selection
	if len(s.patterns()) > maxCompared {
		return
	}
	l.tags(rule)
	var earlier []Rule
	for _, other := range l.rules {
		if other.Priority < rule.Priority && other.Selection.Class() == s.Class() && len(other.Selection.patterns()) <= maxCompared {
			earlier = append(earlier, other)
		}
	}
	if l.shadowed(rule, earlier) {
		return
	}
	for _, other := range earlier {
		l.overlapping(other, rule)
	}
	switch counts := s.CountType == ImageCountMoreThan; {
	case counts && s.TagStatus == AnyTags && len(earlier) > 0:
		l.add(SeverityNote, "counts-others", rule, "selection.countNumber",
			"it counts images of %s too, on which it cannot act", ruleList(earlier))
	case counts && s.Count > 100_000:
		l.add(SeverityWarning, "never-acts", rule, "selection.countNumber",
			"it can hardly act: a repository has at most 100,000 images, and the rule keeps %d", s.Count)
	case s.CountType == SinceImagePushed && rule.Action.Type == ActionExpire && (s.TagStatus == AnyTags || s.matchesAnyTag()):
		l.add(SeverityNote, "expires-newest", rule, "selection",
			"it expires even the newest images once nothing has been pushed for %s", days(s.Count))
	}
}

// tags is about the patterns of one rule.
func (l *linter) tags(rule Rule) {
	s := rule.Selection
	field := "selection.tagPatternList"
	if len(s.TagPrefixes) > 0 {
		field = "selection.tagPrefixList"
	}
	texts := s.patterns()
	for i, p := range texts {
		if why := matchesNoTag(p); why != "" {
			l.add(SeverityWarning, "never-acts", rule, fmt.Sprintf("%s[%d]", field, i), "no tag matches %s: %s", shown(p), why)
		}
		for j, q := range texts {
			if i != j && covers(p, q) && (p != q || i > j) {
				l.add(SeverityWarning, "redundant", rule, fmt.Sprintf("%s[%d]", field, i), "%s adds nothing: whatever matches %s matches it too", shown(p), shown(q))
				break
			}
		}
	}
	if len(texts) > 1 {
		l.add(SeverityWarning, "all-tags", rule, field, "it selects only images with tags that match all of %s; "+
			"to select images that match one of them, write a rule for each", shown(strings.Join(texts, ", ")))
	}
}

// matchesNoTag reports why no tag can match a pattern, if that is so.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
func matchesNoTag(p string) string {
	if strings.Contains(p, literalStar) {
		return "there are no wildcards in a tagPrefixList; write a tagPatternList"
	}
	literal := strings.ReplaceAll(p, "*", "")
	for _, r := range literal {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return fmt.Sprintf("tags have no %q", r)
		}
	}
	switch {
	case strings.HasPrefix(p, ".") || strings.HasPrefix(p, "-"):
		return fmt.Sprintf("tags do not begin with %q", p[0])
	case utf8.RuneCountInString(literal) > 128:
		return "tags have at most 128 characters"
	}
	return ""
}

// shadowed reports whether earlier rules identify all images that the rule identifies,
// so that it never acts.
func (l *linter) shadowed(rule Rule, earlier []Rule) bool {
	s := rule.Selection
	by := slices.IndexFunc(earlier, func(other Rule) bool {
		return s.TagStatus == Tagged && other.Selection.TagStatus == Tagged && coversAll(other.Selection, s)
	})
	if by >= 0 {
		l.add(SeverityWarning, "shadowed", rule, "selection", "it never acts: rule %d identifies all its images, and shields them", earlier[by].Priority)
		return true
	}
	all := slices.IndexFunc(earlier, func(other Rule) bool { return other.Selection.matchesAnyTag() })
	none := slices.IndexFunc(earlier, func(other Rule) bool { return other.Selection.TagStatus == Untagged })
	if s.TagStatus == AnyTags && all >= 0 && none >= 0 {
		l.add(SeverityWarning, "shadowed", rule, "selection", "it never acts: %s identify all images, and shield them",
			ruleList([]Rule{earlier[min(all, none)], earlier[max(all, none)]}))
		return true
	}
	return false
}

// overlapping is about images that two rules for tags identify, of which the first
// claims them.
func (l *linter) overlapping(first, rule Rule) {
	a, b := first.Selection, rule.Selection
	if a.TagStatus != Tagged || b.TagStatus != Tagged {
		return
	}
	counts := b.CountType == ImageCountMoreThan
	for _, p := range a.patterns() {
		for _, q := range b.patterns() {
			if len(p) > 300 || len(q) > 300 || !overlap(p, q) {
				continue
			}
			severity, consequence := SeverityNote, "this rule cannot act on them"
			if counts {
				consequence = fmt.Sprintf("this rule cannot act on them, and yet they count among the %d that it keeps", b.Count)
			}
			if counts && covers(q, p) {
				severity = SeverityWarning
			}
			l.add(severity, "overlap", rule, "selection", "a tag can match %s of rule %d and %s: rule %d claims such images; %s",
				shown(p), first.Priority, shown(q), first.Priority, consequence)
			return
		}
	}
}

// archive is about what happens to images in the archive.
func (l *linter) archive() {
	to := slices.IndexFunc(l.rules, func(r Rule) bool { return r.Action.Type == ActionTransition })
	from := slices.ContainsFunc(l.rules, func(r Rule) bool { return r.Selection.Class() == Archive })
	if to >= 0 && !from {
		l.add(SeverityNote, "archived-forever", l.rules[to], "action", "no rule expires images in the archive: they stay there")
	}
}

// ruleList names rules, as "rules 1 and 3".
func ruleList(rules []Rule) string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = fmt.Sprint(r.Priority)
	}
	return english.PluralWord(len(names), "rule", "") + " " + english.WordSeries(names, "and")
}
