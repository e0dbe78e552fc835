package mirror

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/age"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TagRules select tags of a repository. They apply in the order of the fields; the zero value selects
// all tags. Tags made of a digest, by which signatures are found, are never selected: they come with
// the image that they belong to.
type TagRules struct {
	// Match keeps tags that one of the patterns matches: a name, a pattern with *, ? and [a-z], or a
	// regular expression between slashes that matches the whole tag. None is every tag.
	Match Patterns `yaml:"match" json:"match,omitempty"`
	// Exclude drops tags that one of the patterns matches.
	Exclude Patterns `yaml:"exclude" json:"exclude,omitempty"`
	// Semver keeps tags that are semantic versions, with or without v, within a range: ">=1.2 <2", "^1".
	// A prerelease is kept only if the range names one.
	Semver string `yaml:"semver" json:"semver,omitempty"`
	// Since keeps images that were pushed at most that long ago: 36h, 90d, 4w. The source must know
	// when images were pushed.
	Since string `yaml:"since" json:"since,omitempty"`
	// Latest keeps this many tags, the newest in the order of By; 0 keeps all.
	Latest int `yaml:"latest" json:"latest,omitempty"`
	// By is the order of Latest: by semantic version, where other tags are dropped, or by time of push.
	By TagOrder `yaml:"by" json:"by,omitempty"`
	// AtLeast is how many tags must be selected; fewer are an error, so that a mistake in a rule, or a
	// source that lost its tags, does not go unnoticed.
	AtLeast int `yaml:"at_least" json:"at_least,omitempty"`
}

// TagOrder is an order of tags.
type TagOrder string

// The orders.
const (
	BySemver TagOrder = "semver"
	ByPushed TagOrder = "pushed"
)

// Patterns are patterns of tags. In YAML a single one needs no list.
type Patterns []string

// UnmarshalYAML reads a pattern or a list of them.
func (p *Patterns) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*p = Patterns{one}
		return nil
	}
	var several []string
	if err := unmarshal(&several); err != nil {
		return err
	}
	*p = several
	return nil
}

// A Tag is a tag of a source.
type Tag struct {
	Name     string
	Digest   digest.Digest
	PushedAt *time.Time // nil if the source does not know
}

// Decision reports whether a tag is selected, and by which rule.
type Decision struct {
	Tag      string        `json:"tag"`
	Digest   digest.Digest `json:"digest"`
	Selected bool          `json:"selected"`
	// Rule is the rule that dropped the tag, such as `exclude *-rc*`, or the last one that kept it.
	Rule string `json:"rule"`
}

// ErrTooFewTags reports that fewer tags were selected than [TagRules.AtLeast].
var ErrTooFewTags = errors.New("too few tags are selected")

// matcher is a compiled pattern.
type matcher struct {
	text    string
	matches func(tag string) bool
}

// compiled are rules that can be applied.
type compiled struct {
	TagRules
	match, exclude []matcher
	versions       *semver.Constraints
	since          time.Duration
}

func compilePatterns(patterns []string) (matchers []matcher, err error) {
	for _, text := range patterns {
		if expression, ok := strings.CutPrefix(text, "/"); ok && len(expression) > 1 && strings.HasSuffix(expression, "/") {
			re, err := regexp.Compile(`^(?:` + strings.TrimSuffix(expression, "/") + `)$`)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", text, err)
			}
			matchers = append(matchers, matcher{text, re.MatchString})
			continue
		}
		if _, err := path.Match(text, ""); err != nil || text == "" {
			return nil, fmt.Errorf("%q is not a pattern: write *, ?, [a-z], or /REGULAR EXPRESSION/", text)
		}
		matchers = append(matchers, matcher{text, func(tag string) bool {
			ok, _ := path.Match(text, tag) // the pattern was checked
			return ok
		}})
	}
	return matchers, nil
}

// compile checks the rules.
func (r TagRules) compile() (c compiled, err error) {
	c.TagRules = r
	if c.match, err = compilePatterns(r.Match); err != nil {
		return c, fmt.Errorf("match: %w", err)
	}
	if c.exclude, err = compilePatterns(r.Exclude); err != nil {
		return c, fmt.Errorf("exclude: %w", err)
	}
	if r.Semver != "" {
		if c.versions, err = semver.NewConstraint(r.Semver); err != nil {
			return c, fmt.Errorf("semver: %q: %w", r.Semver, err)
		}
	}
	if r.Since != "" {
		if c.since, err = age.Parse(r.Since); err != nil {
			return c, fmt.Errorf("since: %w", err)
		}
	}
	switch {
	case r.Latest < 0 || r.AtLeast < 0:
		return c, errors.New("latest and at_least are not negative")
	case r.By != "" && r.By != BySemver && r.By != ByPushed:
		return c, fmt.Errorf("by: %q is not %s or %s", r.By, BySemver, ByPushed)
	case r.Latest > 0 && r.By == "":
		return c, fmt.Errorf("latest needs by: %s or %s", BySemver, ByPushed)
	case r.By != "" && r.Latest == 0:
		return c, errors.New("by needs latest")
	}
	return c, nil
}

// Select decides about each tag, in their order. The error wraps [ErrConfig] if the rules cannot be
// used, [ErrTooFewTags], or [content.ErrUnsupported] if a rule needs the time of push and the source
// does not know it; the decisions come with ErrTooFewTags too.
func (r TagRules) Select(tags []Tag, now time.Time) ([]Decision, error) {
	c, err := r.compile()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	decisions := make([]Decision, len(tags))
	for i, tag := range tags {
		decisions[i] = Decision{Tag: tag.Name, Digest: tag.Digest}
		if decisions[i].Selected, decisions[i].Rule, err = c.decide(tag, now); err != nil {
			return nil, err
		}
	}
	if err := c.keepLatest(tags, decisions); err != nil {
		return nil, err
	}
	selected := 0
	for _, d := range decisions {
		if d.Selected {
			selected++
		}
	}
	if selected < r.AtLeast {
		return decisions, fmt.Errorf("%w: %d of %d, and at_least is %d%s", ErrTooFewTags, selected, len(tags), r.AtLeast, c.unmatched(tags))
	}
	return decisions, nil
}

// unmatched names the patterns that no tag matches, for an error.
func (c compiled) unmatched(tags []Tag) string {
	var texts []string
	for _, m := range c.match {
		if !slices.ContainsFunc(tags, func(tag Tag) bool { return m.matches(tag.Name) }) {
			texts = append(texts, m.text)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "; no tag matches " + strings.Join(texts, ", ")
}

// decide applies the rules that look at one tag.
func (c compiled) decide(tag Tag, now time.Time) (selected bool, rule string, err error) {
	if _, _, ok := content.ParseDigestTag(tag.Name); ok {
		return false, "belongs to another image", nil
	}
	rule = "every tag"
	if len(c.match) > 0 {
		i := slices.IndexFunc(c.match, func(m matcher) bool { return m.matches(tag.Name) })
		if i < 0 {
			return false, "match", nil
		}
		rule = "match " + c.match[i].text
	}
	if i := slices.IndexFunc(c.exclude, func(m matcher) bool { return m.matches(tag.Name) }); i >= 0 {
		return false, "exclude " + c.exclude[i].text, nil
	}
	if c.versions != nil {
		rule = "semver " + c.Semver
		if v := version(tag.Name); v == nil || !c.versions.Check(v) {
			return false, rule, nil
		}
	}
	if c.since > 0 {
		rule = "since " + c.Since
		if tag.PushedAt == nil {
			return false, "", errPushedUnknown
		}
		if now.Sub(*tag.PushedAt) > c.since {
			return false, rule, nil
		}
	}
	return true, rule, nil
}

var errPushedUnknown = fmt.Errorf("the source does not know when images were pushed, which since and by: pushed need: %w", content.ErrUnsupported)

// keepLatest drops all but the latest of the tags that are selected so far. Tags of the same rank are
// in the order of their names, so that two runs select the same.
func (c compiled) keepLatest(tags []Tag, decisions []Decision) error {
	if c.Latest == 0 {
		return nil
	}
	rule := fmt.Sprintf("latest %d by %s", c.Latest, c.By)
	var rest []int
	for i := range decisions {
		switch {
		case !decisions[i].Selected:
		case c.By == BySemver && version(tags[i].Name) == nil:
			decisions[i].Selected, decisions[i].Rule = false, rule+": not a version"
		case c.By == ByPushed && tags[i].PushedAt == nil:
			return errPushedUnknown
		default:
			rest = append(rest, i)
		}
	}
	slices.SortStableFunc(rest, func(a, b int) int {
		newer := 0
		if c.By == BySemver {
			newer = version(tags[b].Name).Compare(version(tags[a].Name))
		} else {
			newer = tags[b].PushedAt.Compare(*tags[a].PushedAt)
		}
		return cmp.Or(newer, strings.Compare(tags[a].Name, tags[b].Name))
	})
	for rank, i := range rest {
		decisions[i].Selected, decisions[i].Rule = rank < c.Latest, rule
	}
	return nil
}

// version reads a tag as a semantic version, nil if it is not one: 1.2.3 or v1.2.3, and 1.2, as tags of images
// are. A single number is none: it may be a build, a date or a commit.
func version(tag string) *semver.Version {
	v, err := semver.NewVersion(tag)
	if core, _, _ := strings.Cut(tag, "-"); err != nil || !strings.Contains(core, ".") {
		return nil
	}
	return v
}

// IsZero reports whether there is no rule: every tag is selected.
func (r TagRules) IsZero() bool {
	return len(r.Match)+len(r.Exclude)+r.Latest+r.AtLeast == 0 && strings.Join([]string{r.Semver, r.Since, string(r.By)}, "") == ""
}
