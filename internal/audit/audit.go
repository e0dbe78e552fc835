// Package audit checks repositories of Amazon ECR against security controls, says which they fail and
// which command fixes that, and writes reports. It fails closed: what is not known of a repository counts
// as a failed control.
package audit

import (
	"errors"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/nearest"
)

// Severity is how bad it is that a control failed.
type Severity string

// The severities, the worst first. The controls of AWS Security Hub have its severities.
const (
	Critical Severity = "CRITICAL"
	High     Severity = "HIGH"
	Medium   Severity = "MEDIUM"
	Low      Severity = "LOW"
)

// Severities returns all severities, the worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low} }

// ParseSeverity reads the name of a severity, in any case.
func ParseSeverity(s string) (Severity, error) {
	if severity := Severity(strings.ToUpper(s)); slices.Contains(Severities(), severity) {
		return severity, nil
	}
	return "", errors.New("severity " + nearest.NotOneOf(s, Severities()))
}

// rank is 0 for the worst.
func (s Severity) rank() int { return slices.Index(Severities(), s) }

// AtLeast reports whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool { return s.rank() <= other.rank() }

// Control is what a repository or a registry should have.
type Control struct {
	ID       string
	Title    string
	Severity Severity // of most findings
	Why      string
	URI      string
	Registry bool // it is about the settings of the registry, not about those of a repository
}

const (
	securityHub = "https://docs.aws.amazon.com/securityhub/latest/userguide/ecr-controls.html"
	userGuide   = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/"
)

// IDs of the controls. Those with a number are of AWS Security Hub.
const (
	ControlScanning  = "ECR.1"
	ControlImmutable = "ECR.2"
	ControlLifecycle = "ECR.3"
	ControlKey       = "ECR.5"
	ControlOpen      = "POLICY-OPEN"
	ControlUntagged  = "UNTAGGED-KEPT"
	ControlTags      = "RESOURCE-TAGS"
	ControlReplica   = "REPLICA-DRIFT"

	ControlRegistryOpen = "REGISTRY-OPEN"
	ControlCache        = "CACHE-INVALID"
)

// Controls returns all controls.
func Controls() []Control {
	return []Control{
		{ControlScanning, "Images are scanned automatically", High,
			"Without automatic scans an image with known vulnerabilities reaches production unnoticed if nobody starts a scan.", securityHub + "#ecr-1", false},
		{ControlImmutable, "Tags are immutable", Medium,
			"A tag that can be moved does not identify the image that runs, and whoever can push can replace what is deployed.", securityHub + "#ecr-2", false},
		{ControlLifecycle, "The repository has a lifecycle policy", Medium,
			"Without one, images pile up: they cost money, and old ones with vulnerabilities can still be pulled.", securityHub + "#ecr-3", false},
		{ControlKey, "Images are encrypted with a KMS key of your own", Medium,
			"The policy of your own key decides who can read the images, and its log records who did.", securityHub + "#ecr-5", false},
		{ControlOpen, "The repository policy does not let in everybody", High,
			"The principal * without a condition that fixes the caller is any AWS account.", userGuide + "repository-policies.html", false},
		{ControlUntagged, "The lifecycle policy removes untagged images", Low,
			"Every moved tag leaves an untagged image behind, which no rule about tags removes.", userGuide + "LifecyclePolicies.html", false},
		{ControlTags, "The repository has resource tags", Low,
			"Without resource tags nobody knows whose repository it is, and costs and permissions cannot follow them.", userGuide + "ecr-using-tags.html", false},
		{ControlReplica, "Replicas have the settings of the repository", Medium,
			"Amazon ECR replicates images, but not settings: tags that are immutable here can be moved there, and images pile up.", userGuide + "replication.html", false},
		{ControlRegistryOpen, "The registry policy does not let in everybody", High,
			"The principal * without a condition that fixes the caller is any AWS account, and can fill the registry with its images.", userGuide + "registry-permissions.html", true},
		{ControlCache, "Pull-through cache rules work", Medium,
			"A rule whose secret or role is missing or refused serves old images, and none that was never pulled.", userGuide + "pull-through-cache.html", true},
	}
}

// control returns the control with this ID.
func control(id string) Control {
	all := Controls()
	return all[slices.IndexFunc(all, func(c Control) bool { return c.ID == id })]
}

// CheckControl returns the ID of a control, given in any case, as it is written. It is an error if there
// is no such control.
func CheckControl(id string) (string, error) {
	var known []string
	for _, c := range Controls() {
		if strings.EqualFold(c.ID, id) {
			return c.ID, nil
		}
		known = append(known, c.ID)
	}
	return "", errors.New("control " + nearest.NotOneOf(id, known))
}
