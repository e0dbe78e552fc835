// Package codequality writes Code Quality reports, which GitLab shows in a merge request. See
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
package codequality

import (
	"encoding/json"
	"io"
)

// Issue is an entry of a report.
type Issue struct {
	Description string   `json:"description"`
	Check       string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"` // identifies the issue in later reports
	Severity    string   `json:"severity"`    // info, minor, major, critical or blocker
	Location    Location `json:"location"`
}

// Location is where GitLab shows an issue.
type Location struct {
	Path  string `json:"path"`
	Lines Lines  `json:"lines"`
}

// Lines are the lines of a location.
type Lines struct {
	Begin int `json:"begin"`
}

// At returns the location of what has no lines, such as a repository.
func At(path string) Location { return Location{path, Lines{1}} }

// Write writes a report; without issues it is an empty array.
func Write(w io.Writer, issues []Issue) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(append([]Issue{}, issues...))
}
