package scan

import (
	"fmt"
	"strings"
)

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
