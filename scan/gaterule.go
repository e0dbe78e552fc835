package scan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/wildcard"
)

// blocks reports whether all of the rule is true of a finding that is judged as severity.
func (r Rule) blocks(f Finding, severity Severity) bool {
	return r.concerns(severity) &&
		(r.MinimumCVSS == 0 || f.Score == nil || *f.Score >= r.MinimumCVSS) &&
		(!r.FixAvailable || f.Fix != No) &&
		(!r.ExploitAvailable || f.Exploit != No) &&
		(!r.InUse || f.InUse == nil || *f.InUse > 0)
}

// concerns reports whether the rule is about a severity.
func (r Rule) concerns(s Severity) bool {
	if len(r.Severities) > 0 {
		return slices.Contains(r.Severities, s)
	}
	return r.Severity == "" || s.rank() >= r.Severity.rank()
}

// String describes the rule: "HIGH or worse with a fix, at most 3".
func (r Rule) String() string {
	if r.Name != "" {
		return r.Name
	}
	text := "any severity"
	switch {
	case len(r.Severities) > 0:
		text = strings.ReplaceAll(join(r.Severities), ", ", " or ")
	case r.Severity == Critical:
		text = string(Critical)
	case r.Severity != "":
		text = string(r.Severity) + " or worse"
	}
	if r.MinimumCVSS > 0 {
		text += fmt.Sprintf(", CVSS %.1f or more", r.MinimumCVSS)
	}
	var with []string
	if r.FixAvailable {
		with = append(with, "a fix")
	}
	if r.ExploitAvailable {
		with = append(with, "an exploit")
	}
	if len(with) > 0 {
		text += " with " + strings.Join(with, " and ")
	}
	if r.InUse {
		text += ", in use"
	}
	if r.Maximum > 0 {
		text += fmt.Sprintf(", at most %d", r.Maximum)
	}
	return text
}

// covers reports whether the entry is about the finding.
func (e *Ignore) covers(f Finding) bool {
	if !strings.EqualFold(e.ID, f.ID) {
		return false
	}
	if e.Package == "" {
		return true
	}
	return len(f.Packages) > 0 && !slices.ContainsFunc(f.Packages, func(p Package) bool { return !wildcard.Match(e.Package, p.Name) })
}
