package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/wildcard"
)

// Explanation is how each rule treats one image.
type Explanation struct {
	Image   Image
	Verdict Verdict
	Reason  string
	Rules   []RuleResult // of all rules, the first to be applied first
}

// Effect is the effect of one rule on one image.
type Effect string

// The effects.
const (
	EffectNone     Effect = "none"     // the rule does not identify the image
	EffectActs     Effect = "acts"     // it expires or archives it
	EffectKeeps    Effect = "keeps"    // it identifies it and leaves it
	EffectShielded Effect = "shielded" // it would act, but an earlier rule has identified the image
)

// RuleResult is how one rule treats an image.
type RuleResult struct {
	Rule   Rule
	Effect Effect
	Reason string
	// Tags are those of the image that match a pattern of the rule.
	Tags []string
	// Number is the place of the image among those that the rule identifies, from 1,
	// the newest; Of is how many those are. Both are 0 if it does not identify it.
	Number, Of int
}

// Find returns the index of the image with a tag or digest. Of a digest at least
// 7 hexadecimal digits are needed, with or without "sha256:".
func (e Evaluation) Find(name string) (int, error) {
	byTag := slices.IndexFunc(e.images, func(i Image) bool { return slices.Contains(i.Tags, name) })
	if byTag >= 0 {
		return byTag, nil
	}
	hex := strings.TrimPrefix(name, digest.SHA256.String()+":")
	if len(hex) < 7 || strings.Trim(hex, "0123456789abcdef") != "" {
		return 0, fmt.Errorf("no image has the tag %q", name)
	}
	found := -1
	for i, image := range e.images {
		if !strings.HasPrefix(image.Digest.String(), digest.SHA256.String()+":"+hex) {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("several images have a digest that begins with %s; write more digits", name)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("no image has the tag or digest %s", name)
	}
	return found, nil
}

// Explain returns how each rule treats the image with this index.
func (e Evaluation) Explain(i int) Explanation {
	x := Explanation{Image: e.images[i], Verdict: e.Verdicts[i], Reason: e.Reason(i)}
	v := x.Verdict
	ranked := newGraph(e.images).ranked(e.images)
	for n, rule := range e.policy.rules {
		view := RuleResult{Rule: rule, Tags: matching(rule.Selection, x.Image.Tags)}
		if v.found&(1<<n) == 0 {
			view.Effect, view.Reason = EffectNone, e.whyNot(i, rule)
			x.Rules = append(x.Rules, view)
			continue
		}
		tags, archived := newTagRequirement(rule.Selection), rule.Selection.Class() == Archive
		for _, c := range ranked {
			if c.archived == archived && tags.match(c.tags) {
				view.Of++
				if int(c.image) == i {
					view.Number = view.Of
				}
			}
		}
		switch marked := v.marked&(1<<n) != 0; {
		case !marked:
			view.Effect = EffectKeeps
		case n == lowest(v.found):
			view.Effect = EffectActs
		default:
			view.Effect = EffectShielded
		}
		view.Reason = e.count(&x.Image, rule, view.Number, view.Of)
		x.Rules = append(x.Rules, view)
	}
	return x
}

// matching returns the tags that match a pattern.
func matching(s Selection, tags []string) []string {
	var found []string
	for _, tag := range tags {
		if slices.ContainsFunc(newTagRequirement(s).patterns, func(p wildcard.Pattern) bool { return p.Match(tag) }) {
			found = append(found, tag)
		}
	}
	return found
}

// whyNot reports why a rule does not identify the image of a number.
func (e Evaluation) whyNot(i int, rule Rule) string {
	image, v := &e.images[i], e.Verdicts[i]
	switch {
	case v.ListedBy != "":
		return "an index lists the image"
	case v.Follows != "":
		return "the image follows its subject"
	case image.Status == StatusActivating:
		return "the image is being restored"
	case image.class() == Archive && rule.Selection.Class() != Archive:
		return "the image is in the archive"
	case image.class() != rule.Selection.Class():
		return "the image is not in the archive"
	case rule.Selection.TagStatus == Untagged:
		return "the image has a tag"
	case len(image.Tags) == 0:
		return "the image has no tag"
	}
	for _, text := range rule.Selection.patterns() {
		one := Selection{TagStatus: Tagged, TagPatterns: []string{text}}
		if !newTagRequirement(one).match(image.Tags) {
			return "no tag matches " + shown(text)
		}
	}
	return "the tags do not match"
}

// Reason returns, in words, why the image with this index has its outcome.
func (e Evaluation) Reason(i int) string {
	image, v := &e.images[i], e.Verdicts[i]
	switch {
	case v.ListedBy != "":
		return fmt.Sprintf("index %s lists it, and keeps it until the index is gone", v.ListedBy)
	case v.Follows != "" && v.Outcome == Transition && v.Rule == 0:
		return fmt.Sprintf("its subject %s is in the archive", v.Follows)
	case v.Follows != "":
		return fmt.Sprintf("it follows its subject %s", v.Follows)
	case image.Status == StatusActivating:
		return "it is being restored from the archive"
	case v.found == 0:
		return "no rule identifies it"
	}
	reason := e.count(image, v.policy.rules[lowest(v.found)], int(v.number), int(v.of))
	if n := lowest(v.marked); n > lowest(v.found) {
		reason += fmt.Sprintf("; so rule %d cannot %s it", v.policy.rules[n].Priority, v.policy.rules[n].Action.verb())
	}
	return reason
}

func (a Action) verb() string {
	if a.Type == ActionTransition {
		return "archive"
	}
	return "expire"
}

// count reports what a rule counts of an image that it identifies.
func (e Evaluation) count(image *Image, rule Rule, number, of int) string {
	s := rule.Selection
	if s.CountType == ImageCountMoreThan {
		return fmt.Sprintf("number %d of %d, and rule %d keeps the newest %d", number, of, rule.Priority, s.Count)
	}
	from := image.countedFrom(s.CountType)
	what := map[CountType]string{SinceImagePushed: "pushed", SinceImageTransitioned: "archived", SinceImagePulled: "pulled"}[s.CountType]
	since, more := what, ""
	if s.CountType == SinceImagePulled {
		switch {
		case image.LastActivatedAt.After(image.LastPulledAt):
			since, more = "restored", " and not pulled since"
		case image.LastPulledAt.IsZero():
			since, more = "pushed", " and never pulled"
		}
	}
	if from.IsZero() {
		return fmt.Sprintf("it is not known when it was %s, and rule %d keeps %s", what, rule.Priority, days(s.Count))
	}
	compared := "not older than"
	if from.Before(e.At.AddDate(0, 0, -s.Count)) {
		compared = "older than"
	}
	return fmt.Sprintf("%s %s%s, %s %s (rule %d)", since, ago(e.At.Sub(from)), more, compared, days(s.Count), rule.Priority)
}

func days(n int) string { return english.Plural(n, "day", "") }

// ago is how long ago something was, for people, rounded down.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "later"
	case d < time.Hour:
		return english.Plural(int(d/time.Minute), "minute", "") + " ago"
	case d < 48*time.Hour:
		return english.Plural(int(d/time.Hour), "hour", "") + " ago"
	}
	return days(int(d/(24*time.Hour))) + " ago"
}
