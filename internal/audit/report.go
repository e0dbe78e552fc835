package audit

import (
	"slices"
	"time"

	"github.com/ecrkit/ecrkit/internal/governance"
)

// Report is the result of an audit of the repositories of a registry. Its JSON form is stable: fields are
// only added.
type Report struct {
	Registry     string       `json:"registry"` // ACCOUNT/REGION
	Host         string       `json:"host"`
	Pattern      string       `json:"pattern"` // of the names of the repositories
	At           time.Time    `json:"auditedAt"`
	Skipped      []string     `json:"skipped"` // IDs of controls that were not checked
	Repositories []Repository `json:"repositories"`
	// Failed are errors about repositories that could not be read.
	Failed  []string `json:"failed"`
	Summary Summary  `json:"summary"`
}

// Repository is a repository that was checked.
type Repository struct {
	Name     string    `json:"name"`
	ARN      string    `json:"arn"`
	Findings []Finding `json:"findings"` // [] if no control failed
}

// Summary counts repositories and findings.
type Summary struct {
	Repositories int              `json:"repositories"`
	Clean        int              `json:"clean"` // of them without findings
	Findings     int              `json:"findings"`
	BySeverity   map[Severity]int `json:"bySeverity"`
}

// NewReport checks repositories, except for the controls that are skipped. failures are the errors about
// those that could not be read.
func NewReport(r *governance.Registry, pattern string, descriptions []governance.Description, failures []error, skipped []string, at time.Time) Report {
	report := Report{
		Registry: r.String(), Host: r.Host, Pattern: pattern, At: at,
		Skipped: append([]string{}, skipped...), Repositories: []Repository{}, Failed: []string{},
		Summary: Summary{Repositories: len(descriptions), BySeverity: map[Severity]int{}},
	}
	for _, s := range Severities() {
		report.Summary.BySeverity[s] = 0
	}
	for _, d := range descriptions {
		checked := Repository{Name: d.Name, ARN: d.ARN, Findings: []Finding{}}
		for _, f := range Check(d) {
			if !slices.Contains(skipped, f.ID) {
				checked.Findings = append(checked.Findings, f)
				report.Summary.Findings++
				report.Summary.BySeverity[f.Severity]++
			}
		}
		if len(checked.Findings) == 0 {
			report.Summary.Clean++
		}
		report.Repositories = append(report.Repositories, checked)
	}
	for _, err := range failures {
		report.Failed = append(report.Failed, err.Error())
	}
	return report
}

// Worst returns how many findings have this severity or a worse one.
func (r Report) Worst(severity Severity) int {
	n := 0
	for s, count := range r.Summary.BySeverity {
		if s.AtLeast(severity) {
			n += count
		}
	}
	return n
}
