package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ScanType is the kind of a scan.
type ScanType string

// Basic scanning is ECR's own, of operating system packages. Enhanced scanning is
// that of Amazon Inspector, of the packages of programming languages too.
const (
	Basic    ScanType = "basic"
	Enhanced ScanType = "enhanced"
)

// Answer is the answer of a scan to a question: yes, no, or none.
type Answer string

// The answers. Partial means that some of the packages have a fix. Basic scans report
// neither fixes nor exploits.
const (
	Unknown Answer = ""
	Yes     Answer = "YES"
	No      Answer = "NO"
	Partial Answer = "PARTIAL"
)

// Finding is one vulnerability of an image, from a basic or an enhanced scan. What
// the scan does not report is empty or nil. Its JSON form is part of that of a report.
type Finding struct {
	ID          string   `json:"id"` // CVE-2024-1234, GHSA-…, ALAS2-…
	Severity    Severity `json:"severity"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	URI         string   `json:"uri,omitempty"`
	// Packages are the packages with the vulnerability, usually one.
	Packages []Package `json:"packages"`
	// Score is the CVSS score of the scanner, 0 to 10; Vector is how it is composed.
	Score  *float64 `json:"score,omitempty"`
	Vector string   `json:"vector,omitempty"`
	Fix    Answer   `json:"fixAvailable,omitempty"`
	// Exploit reports whether one is known.
	Exploit Answer `json:"exploitAvailable,omitempty"`
	// InUse is how many clusters of ECS and EKS run the image; LastInUse is when one last did.
	InUse     *int64     `json:"inUseCount,omitempty"`
	LastInUse *time.Time `json:"lastInUseAt,omitempty"`
	// State is ACTIVE, SUPPRESSED or CLOSED in enhanced scans.
	State string `json:"state,omitempty"`
	// ARN is that of Amazon Inspector.
	ARN           string     `json:"arn,omitempty"`
	FirstObserved *time.Time `json:"firstObservedAt,omitempty"`
}

// Package is a package in an image that has a vulnerability.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // with epoch and release as its package manager writes them
	Fixed   string `json:"fixedVersion,omitempty"`
	Manager string `json:"manager,omitempty"` // OS, PYTHON, …
	Path    string `json:"path,omitempty"`
	Layer   string `json:"layer,omitempty"` // digest of the layer that brought it
}

// compareFindings orders findings, the worst first, so that the order is always the same.
func compareFindings(a, b Finding) int {
	return cmp.Or(
		-cmp.Compare(a.Severity.rank(), b.Severity.rank()),
		-cmp.Compare(a.score(), b.score()),
		strings.Compare(a.ID, b.ID),
		slices.CompareFunc(a.Packages, b.Packages, comparePackages),
		strings.Compare(a.ARN, b.ARN),
		strings.Compare(a.Description, b.Description),
	)
}

func comparePackages(a, b Package) int {
	return cmp.Or(
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.Version, b.Version),
		strings.Compare(a.Layer, b.Layer),
		strings.Compare(a.Path, b.Path),
		strings.Compare(a.Manager, b.Manager),
		strings.Compare(a.Fixed, b.Fixed),
	)
}

// score is -1 if it is not known.
func (f Finding) score() float64 {
	if f.Score == nil {
		return -1
	}
	return *f.Score
}

// judged returns the severity by which a policy judges the finding: that of the scan, and for an
// undefined one that of the policy, else the rating of its score, else CRITICAL. because says which of
// these it is for an undefined one.
func (f Finding) judged(undefined Severity) (severity Severity, because string) {
	switch {
	case f.Severity != Undefined:
		return f.Severity, ""
	case undefined != "":
		return undefined, fmt.Sprintf("undefined: %s in the policy", undefined)
	case f.Score != nil:
		return severityOfScore(*f.Score), "CVSS " + f.showScore()
	}
	return Critical, "no CVSS score"
}
