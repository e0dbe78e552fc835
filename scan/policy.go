package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/internal/wildcard"
)

// maxPolicy is the size of a policy, in bytes.
const maxPolicy = 1 << 20

// Policy decides which findings block an image. ParsePolicy reads one from YAML.
type Policy struct {
	Version   int `yaml:"version"` // 1
	GateTerms `yaml:",inline"`
	// Ignore are findings that do not block, for a reason and a time.
	Ignore []Ignore `yaml:"ignore"`
	// Repositories override the policy for some repositories. The first that matches applies.
	Repositories []Override `yaml:"repositories"`
}

// GateTerms are the parts of a policy that an override can replace.
type GateTerms struct {
	// Block are the rules. A finding blocks if at least one of them matches.
	Block []Rule `yaml:"block"`
	// Undefined is the severity by which a finding of severity UNDEFINED is judged. ""
	// goes by its CVSS score, and is CRITICAL if it has none.
	Undefined Severity `yaml:"undefined"`
	// Accept are the statuses with which an image passes although it was not scanned.
	Accept []Status `yaml:"accept"`
	// AcceptSuppressed lets findings pass that a suppression rule of Amazon Inspector hides.
	AcceptSuppressed bool `yaml:"accept_suppressed"`
}

// Rule blocks findings for which all of its conditions hold. The zero value blocks all
// findings. A condition about something that the scan does not report holds.
type Rule struct {
	Name string `yaml:"name"` // for messages; "" describes the rule
	// Severity blocks this severity and worse ones, Severities exactly these.
	Severity   Severity   `yaml:"severity"`
	Severities []Severity `yaml:"severities"`
	// MinimumCVSS is the least score, 0 to 10.
	MinimumCVSS float64 `yaml:"minimum_cvss"`
	// FixAvailable blocks only what has a fix, for some of its packages at least.
	FixAvailable bool `yaml:"fix_available"`
	// ExploitAvailable blocks only what has a known exploit.
	ExploitAvailable bool `yaml:"exploit_available"`
	// InUse blocks only if a cluster runs the image.
	InUse bool `yaml:"in_use"`
	// Maximum is how many such findings an image may have.
	Maximum int `yaml:"maximum"`
}

// Ignore is a finding that does not block.
type Ignore struct {
	ID string `yaml:"id" json:"id"`
	// Package is a pattern, which all packages of the finding must match.
	Package string `yaml:"package" json:"package,omitempty"`
	// Repository is a pattern, which the repository of the image must match.
	Repository string `yaml:"repository" json:"repository,omitempty"`
	Reason     string `yaml:"reason" json:"reason"`
	// Expires is the last day, in UTC, on which it is ignored (2026-12-31), or a time.
	// Without one the verdict has a warning.
	Expires string `yaml:"expires" json:"expires,omitempty"`
}

// end is when it is no longer ignored, the zero time if that is never.
func (e Ignore) end() (time.Time, error) {
	if e.Expires == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, e.Expires); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, e.Expires)
	if err != nil {
		return t, fmt.Errorf("expires: %q is not a date; write 2026-12-31", e.Expires)
	}
	return t, nil
}

// expired reports whether the finding is no longer ignored. An entry whose end is not a valid time
// is always expired.
func (e Ignore) expired(at time.Time) bool {
	end, err := e.end()
	return err != nil || !end.IsZero() && !at.Before(end)
}

// Override is a policy for some repositories: what it sets replaces the policy's terms, and its ignored
// findings are added.
type Override struct {
	Match     []string `yaml:"match"` // patterns of repository names, without the registry
	GateTerms `yaml:",inline"`
	Ignore    []Ignore `yaml:"ignore"`
}

// ParsePolicy reads a policy in YAML or JSON. An unknown key is an error.
func ParsePolicy(r io.Reader) (*Policy, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPolicy+1))
	if err == nil && len(text) > maxPolicy {
		err = fmt.Errorf("more than %d MiB", maxPolicy>>20)
	}
	var p Policy
	if err == nil {
		err = strictyaml.Decode(bytes.NewReader(text), &p)
	}
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return &p, nil
}

func (p *Policy) check() error {
	switch p.Version {
	case 1:
	case 0:
		return errors.New("version is missing; write version: 1")
	default:
		return fmt.Errorf("version %d is not known; write version: 1", p.Version)
	}
	if len(p.Block) == 0 {
		return errors.New("it blocks nothing; write block: with a rule, as - severity: HIGH")
	}
	if err := p.GateTerms.check(); err != nil {
		return err
	}
	if err := checkIgnores(p.Ignore); err != nil {
		return err
	}
	for i := range p.Repositories {
		o := &p.Repositories[i]
		place := fmt.Sprintf("repositories[%d]", i)
		if len(o.Match) == 0 || slices.Contains(o.Match, "") {
			return fmt.Errorf("%s: match is missing; write match: [team/*]", place)
		}
		if o.Block != nil && len(o.Block) == 0 {
			return fmt.Errorf("%s: block is empty; leave it out, or write what blocks there", place)
		}
		if err := o.GateTerms.check(); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		if err := checkIgnores(o.Ignore); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	return nil
}

func (t *GateTerms) check() error {
	for i := range t.Block {
		if err := t.Block[i].check(); err != nil {
			return fmt.Errorf("block[%d]: %w", i, err)
		}
	}
	if t.Undefined != "" {
		s, err := ParseSeverity(string(t.Undefined))
		if err != nil || s == Undefined {
			return fmt.Errorf("undefined: %q is not a severity to judge by; write one of CRITICAL to INFORMATIONAL", t.Undefined)
		}
		t.Undefined = s
	}
	for i, s := range t.Accept {
		t.Accept[i] = Status(strings.ToUpper(string(s)))
		if !t.Accept[i].Acceptable() {
			return errors.New("accept: " + nearest.NotOneOf(string(s), acceptableStatuses()))
		}
	}
	return nil
}

func (r *Rule) check() (err error) {
	if r.Severity != "" && len(r.Severities) > 0 {
		return errors.New("severity (this and worse) and severities (exactly these) exclude each other")
	}
	if r.Severity != "" {
		if r.Severity, err = ParseSeverity(string(r.Severity)); err != nil {
			return err
		}
		if r.Severity == Undefined {
			return errors.New("severity: UNDEFINED is neither better nor worse than others; say with undefined: as what it is judged")
		}
	}
	for i, s := range r.Severities {
		if r.Severities[i], err = ParseSeverity(string(s)); err != nil {
			return err
		}
		if r.Severities[i] == Undefined {
			return errors.New("severities: UNDEFINED is judged as another severity; say with undefined: as which")
		}
	}
	if !(r.MinimumCVSS >= 0 && r.MinimumCVSS <= 10) {
		return fmt.Errorf("minimum_cvss: %v is not between 0 and 10", r.MinimumCVSS)
	}
	if r.Maximum < 0 {
		return fmt.Errorf("maximum: %d is less than 0", r.Maximum)
	}
	return nil
}

// checkIgnores checks entries.
func checkIgnores(list []Ignore) error {
	seen := map[Ignore]bool{}
	for i, e := range list {
		place := fmt.Sprintf("ignore[%d]", i)
		if e.ID == "" {
			return fmt.Errorf("%s: id is missing; write id: CVE-2024-1234", place)
		}
		place += " (" + e.ID + ")"
		if strings.TrimSpace(e.Reason) == "" {
			return fmt.Errorf("%s: reason is missing; say why it does not matter", place)
		}
		same := Ignore{ID: strings.ToUpper(e.ID), Package: e.Package, Repository: e.Repository}
		if seen[same] {
			return fmt.Errorf("%s: it appears twice", place)
		}
		seen[same] = true
		if _, err := e.end(); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	return nil
}

// termsFor are the terms and the ignored findings for a repository.
func (p *Policy) termsFor(repository string) (GateTerms, []*Ignore) {
	terms := p.GateTerms
	var ignores []*Ignore
	add := func(list []Ignore) {
		for i := range list {
			if list[i].Repository == "" || wildcard.Match(list[i].Repository, repository) {
				ignores = append(ignores, &list[i])
			}
		}
	}
	for i := range p.Repositories {
		o := &p.Repositories[i]
		if !slices.ContainsFunc(o.Match, func(pattern string) bool { return wildcard.Match(pattern, repository) }) {
			continue
		}
		if o.Block != nil {
			terms.Block = o.Block
		}
		if o.Undefined != "" {
			terms.Undefined = o.Undefined
		}
		if o.Accept != nil {
			terms.Accept = o.Accept
		}
		terms.AcceptSuppressed = terms.AcceptSuppressed || o.AcceptSuppressed
		// The closer entry is the one that is said to be used.
		add(o.Ignore)
		break
	}
	add(p.Ignore)
	return terms, ignores
}

func join[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}
