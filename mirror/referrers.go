package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// ReferrerRules select what is copied of that which refers to images: signatures, attestations, bills of
// materials. The zero value selects all. In YAML and JSON it is true, which means all, false, which means none,
// or an object with types and exclude.
type ReferrerRules struct {
	// None selects nothing. The patterns do not count.
	None bool
	// Types keeps referrers of which the artifact type matches one of the patterns: a type, a pattern with
	// *, ? and [a-z], in which * and ? match / too, or a regular expression between slashes that matches
	// the whole type. nil is every type.
	Types Patterns
	// Exclude drops those of which the artifact type matches one of the patterns.
	Exclude Patterns
}

// referrerPatterns are rules as they are written with patterns.
type referrerPatterns struct {
	Types   Patterns `yaml:"types" json:"types,omitempty"`
	Exclude Patterns `yaml:"exclude" json:"exclude,omitempty"`
}

// UnmarshalYAML reads true, false or patterns.
func (r *ReferrerRules) UnmarshalYAML(unmarshal func(any) error) error { return r.read(unmarshal) }

// UnmarshalJSON reads what [ReferrerRules.MarshalJSON] writes.
func (r *ReferrerRules) UnmarshalJSON(data []byte) error {
	return r.read(func(v any) error { return strictjson.Unmarshal(data, v) })
}

func (r *ReferrerRules) read(unmarshal func(any) error) error {
	var all bool
	if unmarshal(&all) == nil {
		*r = ReferrerRules{None: !all}
		return nil
	}
	var p referrerPatterns
	if err := unmarshal(&p); err != nil {
		return err
	}
	if p.Types == nil && p.Exclude == nil {
		p.Types = Patterns{} // no rule at all is a mistake, as an empty list is
	}
	*r = ReferrerRules{Types: p.Types, Exclude: p.Exclude}
	return nil
}

// MarshalJSON writes the rules as a configuration has them.
func (r ReferrerRules) MarshalJSON() ([]byte, error) {
	if r.None || r.All() {
		return json.Marshal(!r.None)
	}
	return json.Marshal(referrerPatterns{r.Types, r.Exclude})
}

// All reports whether every referrer is selected.
func (r ReferrerRules) All() bool { return !r.None && r.Types == nil && r.Exclude == nil }

// Filter returns a function for [transfer.Options.ReferrerFilter], which reports whether a referrer of these
// types is copied; it is nil if no type is left out. The
// error is about a pattern.
func (r ReferrerRules) Filter() (func(types []string) bool, error) {
	if r.None || r.All() {
		return nil, nil
	}
	types, err := compileTypes("types", r.Types)
	if err != nil {
		return nil, err
	}
	exclude, err := compileTypes("exclude", r.Exclude)
	if err != nil {
		return nil, err
	}
	return func(of []string) bool {
		return (r.Types == nil || matchesAny(types, of)) && !matchesAny(exclude, of)
	}, nil
}

func matchesAny(matchers []matcher, types []string) bool {
	return slices.ContainsFunc(matchers, func(m matcher) bool { return slices.ContainsFunc(types, m.matches) })
}

// compileTypes compiles the patterns of a key. A slash separates nothing in an artifact type that a user
// would think of, so * matches it.
func compileTypes(key string, patterns Patterns) (matchers []matcher, err error) {
	if patterns != nil && len(patterns) == 0 {
		return nil, keyError{key, errors.New("the list is empty: write patterns of artifact types, or referrers: false to copy none")}
	}
	for _, text := range patterns {
		if expression, ok := strings.CutPrefix(text, "/"); ok && len(expression) > 1 && strings.HasSuffix(expression, "/") {
			re, err := regexp.Compile(`^(?:` + strings.TrimSuffix(expression, "/") + `)$`)
			if err != nil {
				return nil, keyError{key, fmt.Errorf("%q: %w", text, err)}
			}
			matchers = append(matchers, matcher{text, re.MatchString})
			continue
		}
		pattern := withoutSlashes(text)
		if _, err := path.Match(pattern, ""); err != nil || text == "" {
			return nil, keyError{key, fmt.Errorf("%q is not a pattern of artifact types: write *, ?, [a-z], or /REGULAR EXPRESSION/", text)}
		}
		matchers = append(matchers, matcher{text, func(of string) bool {
			ok, _ := path.Match(pattern, withoutSlashes(of)) // the pattern was checked
			return ok
		}})
	}
	return matchers, nil
}

// withoutSlashes replaces the one character that * does not match.
func withoutSlashes(s string) string { return strings.ReplaceAll(s, "/", "\x00") }

// keyError is an error about a key of the configuration: a path such as images[0].referrers.types.
type keyError struct {
	key string
	error
}

func (e keyError) Error() string { return e.key + ": " + e.error.Error() }
func (e keyError) Unwrap() error { return e.error }

// ReferrersOf returns the rules for an item of the configuration: its own, or else those of the whole
// configuration.
func (c Config) ReferrersOf(item ImageRules) ReferrerRules {
	switch {
	case item.Referrers != nil:
		return *item.Referrers
	case c.Referrers != nil:
		return *c.Referrers
	}
	return ReferrerRules{}
}

// checkReferrers reports the first rule that cannot be used, with the path of its key.
func (c Config) checkReferrers() error {
	check := func(key string, r *ReferrerRules) error {
		if r == nil {
			return nil
		}
		_, err := r.Filter()
		var at keyError
		if errors.As(err, &at) {
			return keyError{key + "." + at.key, at.error}
		}
		return err
	}
	err := check("referrers", c.Referrers)
	for i := 0; err == nil && i < len(c.Images); i++ {
		err = check(fmt.Sprintf("images[%d].referrers", i), c.Images[i].Referrers)
	}
	return err
}
