package scan

import (
	"errors"
	"strings"

	"github.com/ecrkit/ecrkit/internal/nearest"
)

// Severity is the severity of a finding, FindingSeverity of the API.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFinding.html
type Severity string

// The severities. Undefined means that the source of the CVE assigned no severity, or an
// unknown one. It does not mean a low one.
const (
	Critical      Severity = "CRITICAL"
	High          Severity = "HIGH"
	Medium        Severity = "MEDIUM"
	Low           Severity = "LOW"
	Informational Severity = "INFORMATIONAL"
	Undefined     Severity = "UNDEFINED"
)

// Severities returns all severities, the worst first, and Undefined last, which is not
// ordered with the others.
func Severities() []Severity {
	return []Severity{Critical, High, Medium, Low, Informational, Undefined}
}

// ParseSeverity reads the name of a severity, in any case.
func ParseSeverity(s string) (Severity, error) {
	for _, known := range Severities() {
		if strings.EqualFold(s, string(known)) {
			return known, nil
		}
	}
	return "", errors.New("severity " + nearest.NotOneOf(s, Severities()))
}

// rank is higher for what is worse, and 0 for what is undefined.
func (s Severity) rank() int {
	switch s {
	case Critical:
		return 5
	case High:
		return 4
	case Medium:
		return 3
	case Low:
		return 2
	case Informational:
		return 1
	}
	return 0
}

// severityOf takes the severity that a scan names. One that is not known, UNTRIAGED
// of Inspector for one, is undefined.
func severityOf(s string) Severity {
	if known, err := ParseSeverity(s); err == nil {
		return known
	}
	return Undefined
}

// severityOfScore is the rating of a CVSS score by the table of CVSS 3 and 4.
// https://nvd.nist.gov/vuln-metrics/cvss
func severityOfScore(score float64) Severity {
	switch {
	case score >= 9:
		return Critical
	case score >= 7:
		return High
	case score >= 4:
		return Medium
	case score > 0:
		return Low
	}
	return Informational
}
