package audit

import (
	"fmt"
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
	// RegistryFindings are about the settings of the registry; null if these were not audited.
	RegistryFindings []Finding `json:"registryFindings"`
	// Failed are errors about repositories that could not be read.
	Failed []string `json:"failed"`
	// NotChecked are what no control has looked at, and how that can be done.
	NotChecked []string `json:"notChecked"`
	Summary    Summary  `json:"summary"`
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

// NewReport checks what was read, except for the controls that are skipped.
func NewReport(r *governance.Registry, pattern string, e Evidence, skipped []string, at time.Time) Report {
	report := Report{
		Registry: r.String(), Host: r.Host, Pattern: pattern, At: at,
		Skipped: append([]string{}, skipped...), Repositories: []Repository{}, Failed: []string{}, NotChecked: []string{},
		Summary: Summary{Repositories: len(e.Repositories), BySeverity: map[Severity]int{}},
	}
	for _, s := range Severities() {
		report.Summary.BySeverity[s] = 0
	}
	counted := func(findings []Finding) []Finding {
		kept := []Finding{}
		for _, f := range findings {
			if !slices.Contains(skipped, f.ID) {
				kept = append(kept, f)
				report.Summary.Findings++
				report.Summary.BySeverity[f.Severity]++
			}
		}
		return kept
	}
	if e.Registry != nil {
		report.RegistryFindings = counted(CheckRegistry(r.Host, *e.Registry))
	}
	for _, d := range e.Repositories {
		checked := Repository{Name: d.Name, ARN: d.ARN, Findings: counted(Check(d, e.Replicas))}
		if len(checked.Findings) == 0 {
			report.Summary.Clean++
		}
		report.Repositories = append(report.Repositories, checked)
	}
	for _, err := range e.Failures {
		report.Failed = append(report.Failed, err.Error())
	}
	if !slices.Contains(skipped, ControlReplica) {
		for _, destination := range e.Replicas.Elsewhere {
			report.NotChecked = append(report.NotChecked, fmt.Sprintf("%s: not checked in %s: audit the replicas with an identity of account %s", ControlReplica, destination, destination.Account))
		}
	}
	return report
}

// subject is what has findings: a repository, or the registry itself.
type subject struct {
	place    string // HOST/NAME, or HOST
	name     string // NAME, or HOST
	arn      string
	registry bool
	findings []Finding
}

// subjects returns the registry, if it was audited, and the repositories.
func (r Report) subjects() []subject {
	var all []subject
	if r.RegistryFindings != nil {
		all = append(all, subject{place: r.Host, name: r.Host, arn: r.Registry, registry: true, findings: r.RegistryFindings})
	}
	for _, repository := range r.Repositories {
		all = append(all, subject{place: r.Host + "/" + repository.Name, name: repository.Name, arn: repository.ARN, findings: repository.Findings})
	}
	return all
}

// controls returns those that were checked or skipped: not those of the registry if its settings were not audited.
func (r Report) controls() []Control {
	return slices.DeleteFunc(Controls(), func(c Control) bool { return c.Registry && r.RegistryFindings == nil })
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
