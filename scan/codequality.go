package scan

import (
	"cmp"
	"encoding/json"
	"io"
)

// qualityIssue is an entry of a Code Quality report of GitLab. See
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
type qualityIssue struct {
	Description string          `json:"description"`
	Check       string          `json:"check_name"`
	Fingerprint string          `json:"fingerprint"`
	Severity    string          `json:"severity"`
	Location    qualityLocation `json:"location"`
}

type qualityLocation struct {
	Path  string       `json:"path"`
	Lines qualityLines `json:"lines"`
}

type qualityLines struct {
	Begin int `json:"begin"`
}

// qualitySeverities are GitLab's words.
var qualitySeverities = map[Severity]string{Critical: "blocker", High: "critical", Medium: "major", Low: "minor"}

// writeCodeQuality writes an array of the findings that are not ignored. An image without
// a result is an issue too, so that an empty report means that nothing was found.
func (v Verdict) writeCodeQuality(w io.Writer) error {
	issues := []qualityIssue{}
	for _, i := range v.Images {
		place := qualityLocation{Path: cmp.Or(oneLine(i.Repository), oneLine(i.title())), Lines: qualityLines{1}}
		if i.Outcome == NoResult || !i.Status.Done() && i.Outcome == "" {
			missing := Finding{ID: "no scan result"}
			issues = append(issues, qualityIssue{oneLine(i.title()) + ": there is no scan result: " + oneLine(i.Reason), missing.ID, i.fingerprint(missing), "blocker", place})
		}
		for _, j := range i.Judged {
			if j.Decision == Ignored {
				continue
			}
			issues = append(issues, qualityIssue{oneLine(j.advice()), oneLine(j.ID), i.fingerprint(j.Finding), cmp.Or(qualitySeverities[j.Severity], "info"), place})
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(issues)
}
