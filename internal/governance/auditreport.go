package governance

import (
	"slices"
	"time"
)

// AuditReport is what an audit of the repositories of a registry found. Its JSON form is
// stable: fields are only added.
type AuditReport struct {
	Registry     string              `json:"registry"` // ACCOUNT/REGION
	Host         string              `json:"host"`
	Pattern      string              `json:"pattern"` // of the repositories that were looked at
	At           time.Time           `json:"auditedAt"`
	Skipped      []string            `json:"skipped"` // controls that were not looked at
	Repositories []AuditedRepository `json:"repositories"`
	// Failed are repositories that could not be read.
	Failed  []string     `json:"failed"`
	Summary AuditSummary `json:"summary"`
}

// AuditedRepository is one that was looked at.
type AuditedRepository struct {
	Name     string         `json:"name"`
	ARN      string         `json:"arn"`
	Findings []AuditFinding `json:"findings"` // [] if it misses nothing
}

// AuditSummary counts.
type AuditSummary struct {
	Repositories int              `json:"repositories"`
	Clean        int              `json:"clean"` // of them without findings
	Findings     int              `json:"findings"`
	BySeverity   map[Severity]int `json:"bySeverity"`
}

// NewAuditReport judges repositories, but for the controls that are skipped.
func NewAuditReport(r *Registry, pattern string, descriptions []Description, failures []error, skipped []string, at time.Time) AuditReport {
	report := AuditReport{
		Registry: r.String(), Host: r.Host, Pattern: pattern, At: at,
		Skipped: append([]string{}, skipped...), Repositories: []AuditedRepository{}, Failed: []string{},
		Summary: AuditSummary{Repositories: len(descriptions), BySeverity: map[Severity]int{}},
	}
	for _, s := range Severities() {
		report.Summary.BySeverity[s] = 0
	}
	for _, d := range descriptions {
		audited := AuditedRepository{Name: d.Name, ARN: d.ARN, Findings: []AuditFinding{}}
		for _, f := range Audit(d) {
			if !slices.Contains(skipped, f.ID) {
				audited.Findings = append(audited.Findings, f)
				report.Summary.Findings++
				report.Summary.BySeverity[f.Severity]++
			}
		}
		if len(audited.Findings) == 0 {
			report.Summary.Clean++
		}
		report.Repositories = append(report.Repositories, audited)
	}
	for _, err := range failures {
		report.Failed = append(report.Failed, err.Error())
	}
	return report
}

// Worst counts the findings of this severity and worse ones.
func (r AuditReport) Worst(severity Severity) int {
	n := 0
	for s, count := range r.Summary.BySeverity {
		if s.AtLeast(severity) {
			n += count
		}
	}
	return n
}
