package governance

import (
	"fmt"
	"slices"
	"strings"
)

// Severity is how bad it is that a control is missed.
type Severity string

// The severities, the worst first. Those of the controls of AWS Security Hub are its own.
const (
	SeverityCritical Severity = "CRITICAL"
	SeverityHigh     Severity = "HIGH"
	SeverityMedium   Severity = "MEDIUM"
	SeverityLow      Severity = "LOW"
)

// Severities are all of them, the worst first.
func Severities() []Severity {
	return []Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityLow}
}

// ParseSeverity reads one, in any case.
func ParseSeverity(s string) (Severity, error) {
	if severity := Severity(strings.ToUpper(s)); slices.Contains(Severities(), severity) {
		return severity, nil
	}
	return "", fmt.Errorf("severity %q is none of %v", s, Severities())
}

// rank is 0 for the worst.
func (s Severity) rank() int { return slices.Index(Severities(), s) }

// AtLeast says whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool { return s.rank() <= other.rank() }

// Control is what a repository should have.
type Control struct {
	ID       string
	Title    string
	Severity Severity // of most findings
	Why      string
	URI      string
}

const (
	securityHub = "https://docs.aws.amazon.com/securityhub/latest/userguide/ecr-controls.html"
	userGuide   = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/"
)

// IDs of controls. Those with a number are of AWS Security Hub.
const (
	ControlScanning  = "ECR.1"
	ControlImmutable = "ECR.2"
	ControlLifecycle = "ECR.3"
	ControlKey       = "ECR.5"
	ControlOpen      = "POLICY-OPEN"
	ControlUntagged  = "UNTAGGED-KEPT"
	ControlTags      = "RESOURCE-TAGS"
)

// Controls are all that an audit looks at.
func Controls() []Control {
	return []Control{
		{ControlScanning, "Images are scanned without being asked for", SeverityHigh,
			"An image with known vulnerabilities goes into production unseen if nobody thinks of scanning it.", securityHub + "#ecr-1"},
		{ControlImmutable, "Tags are immutable", SeverityMedium,
			"A tag that can be moved does not say which image runs, and whoever can push can replace what is deployed.", securityHub + "#ecr-2"},
		{ControlLifecycle, "There is a lifecycle policy", SeverityMedium,
			"Without one images pile up: they cost, and old ones with vulnerabilities stay pullable.", securityHub + "#ecr-3"},
		{ControlKey, "Images are encrypted with a KMS key of your own", SeverityMedium,
			"With a key of your own its policy says who may read the images, and its log who did.", securityHub + "#ecr-5"},
		{ControlOpen, "The repository policy does not let in everybody", SeverityHigh,
			"A principal * without a condition that fixes who calls is any AWS account.", userGuide + "repository-policies.html"},
		{ControlUntagged, "The lifecycle policy removes untagged images", SeverityLow,
			"Every moved tag leaves an image without a tag behind, which no rule about tags ever removes.", userGuide + "LifecyclePolicies.html"},
		{ControlTags, "The repository has resource tags", SeverityLow,
			"Without tags nobody can tell whose it is, and costs and permissions cannot follow them.", userGuide + "ecr-using-tags.html"},
	}
}

// control gives the one with this ID.
func control(id string) Control {
	all := Controls()
	return all[slices.IndexFunc(all, func(c Control) bool { return c.ID == id })]
}

// CheckControl tells whether there is a control with this ID, in any case, and gives
// the ID as it is written.
func CheckControl(id string) (string, error) {
	var known []string
	for _, c := range Controls() {
		if strings.EqualFold(c.ID, id) {
			return c.ID, nil
		}
		known = append(known, c.ID)
	}
	return "", fmt.Errorf("control %q is none of %s", id, strings.Join(known, ", "))
}
