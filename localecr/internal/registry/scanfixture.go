package registry

import (
	"cmp"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// A ScanFixture describes what the scan of an image finds, and how it goes. Nothing here looks into images.
type ScanFixture struct {
	// Which images. All that is given must match; what is "" matches any.
	Repository string // a name, in which * stands for any text
	Tag        string // one of the image's tags, in which * stands for any text
	Digest     string

	// Status is what the scan comes to in its time; default COMPLETE, or ACTIVE if the image is scanned
	// continuously. Until then it is IN_PROGRESS, or PENDING in enhanced scanning.
	Status      types.ScanStatus
	Description string // of the status; default AWS's, if it is known
	// Steps are all statuses that the scan comes to, each from its time until the next one. They take
	// the place of Status.
	Steps []ScanStep

	// Findings are shown with the statuses COMPLETE and ACTIVE: those of basic scanning if that is the
	// registry's scan type, otherwise the enhanced ones. The counts by severity are made of them unless
	// they are given.
	Findings types.ImageScanFindings
}

// A ScanStep is a status that a scan comes to.
type ScanStep struct {
	After       time.Duration // since the start of the scan, by the service's clock
	Status      types.ScanStatus
	Description string
}

// The descriptions of statuses, as users of ECR have reported them.
var scanDescriptions = map[types.ScanStatus]string{
	types.ScanStatusComplete: "The scan was completed successfully.",
	types.ScanStatusActive:   "Continuous scan is selected for image.",
}

// scanProgress is how far a scan is.
type scanProgress struct {
	status      *types.ImageScanStatus
	findings    *types.ImageScanFindings // nil while there are none
	completedAt time.Time
}

// progress is how far a scan is that began at start. What its fixture does not say is left to the
// scan's type, its last status and the time that it takes.
func (f *ScanFixture) progress(start, now time.Time, enhanced bool, last types.ScanStatus, takes time.Duration) scanProgress {
	step := ScanStep{Status: types.ScanStatusInProgress}
	if enhanced {
		step.Status = types.ScanStatusPending
	}
	steps := f.Steps
	if len(steps) == 0 {
		steps = []ScanStep{{After: takes, Status: cmp.Or(f.Status, last), Description: f.Description}}
	}
	for _, s := range steps {
		if now.Sub(start) >= s.After {
			step = s
		}
	}
	p := scanProgress{completedAt: start.Add(step.After)}
	done := step.Status == types.ScanStatusComplete || step.Status == types.ScanStatusActive
	if done {
		if other := f.onlyOther(enhanced); other != "" {
			step = ScanStep{Status: types.ScanStatusFailed, Description: fmt.Sprintf("The fixture of this scan has findings of %s scanning only, which is not the registry's scan type.", other)}
			done = false
		}
	}
	p.status = &types.ImageScanStatus{Status: step.Status}
	if text := cmp.Or(step.Description, scanDescriptions[step.Status]); text != "" {
		p.status.Description = aws.String(text)
	}
	if done {
		p.findings = f.findings(enhanced, p.completedAt)
	}
	return p
}

// onlyOther names the scan type of the findings if it is another than that of the scan: an empty list
// would look like an image without fault.
func (f *ScanFixture) onlyOther(enhanced bool) string {
	basic, full := len(f.Findings.Findings), len(f.Findings.EnhancedFindings)
	switch {
	case enhanced && full == 0 && basic > 0:
		return "basic"
	case !enhanced && basic == 0 && full > 0:
		return "enhanced"
	}
	return ""
}

func (f *ScanFixture) findings(enhanced bool, completedAt time.Time) *types.ImageScanFindings {
	out := &types.ImageScanFindings{
		FindingSeverityCounts: f.Findings.FindingSeverityCounts, ImageScanCompletedAt: &completedAt,
		VulnerabilitySourceUpdatedAt: f.Findings.VulnerabilitySourceUpdatedAt,
	}
	if out.VulnerabilitySourceUpdatedAt == nil {
		out.VulnerabilitySourceUpdatedAt = &completedAt
	}
	counts := map[string]int32{}
	if enhanced {
		out.EnhancedFindings = append([]types.EnhancedImageScanFinding{}, f.Findings.EnhancedFindings...)
		for _, finding := range out.EnhancedFindings {
			counts[cmp.Or(aws.ToString(finding.Severity), string(types.FindingSeverityUndefined))]++
		}
	} else {
		out.Findings = append([]types.ImageScanFinding{}, f.Findings.Findings...)
		for _, finding := range out.Findings {
			counts[string(cmp.Or(finding.Severity, types.FindingSeverityUndefined))]++
		}
	}
	if out.FindingSeverityCounts == nil {
		out.FindingSeverityCounts = counts
	}
	return out
}

// Matches reports whether the fixture is about an image.
func (f *ScanFixture) Matches(repository, digest string, tags []string) bool {
	if f.Digest != "" && f.Digest != digest || f.Repository != "" && !matchWildcard(f.Repository, repository) {
		return false
	}
	if f.Tag == "" {
		return true
	}
	for _, tag := range tags {
		if matchWildcard(f.Tag, tag) {
			return true
		}
	}
	return false
}
