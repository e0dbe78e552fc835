package scan

import (
	_ "crypto/sha256" // go-digest does not link the hashes of digests
	_ "crypto/sha512"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// Report is the result of a scan of one image, or of an index: then it has children, and its
// other fields do not count.
type Report struct {
	// Name is the reference by which the image was requested; "" composes one of the
	// repository and the tag or digest.
	Name       string        `json:"-"`
	RegistryID string        `json:"registryId,omitempty"`
	Repository string        `json:"repository,omitempty"`
	Tags       []string      `json:"tags,omitempty"`
	Digest     digest.Digest `json:"digest,omitempty"`
	// Platform is os/arch[/variant] of an image of an index, else what the scan says
	// of the architecture.
	Platform string `json:"platform,omitempty"`
	// System is the operating system as an enhanced scan calls it: DEBIAN_12.
	System            string     `json:"system,omitempty"`
	Type              ScanType   `json:"scanType,omitempty"` // "" if there is no finding to tell by
	Status            Status     `json:"status"`
	StatusDescription string     `json:"statusDescription,omitempty"`
	CompletedAt       *time.Time `json:"completedAt,omitempty"`
	SourceUpdatedAt   *time.Time `json:"sourceUpdatedAt,omitempty"` // of the vulnerability database
	// Counts is how many findings of each severity the scan says there are, whether or
	// not they are in Findings.
	Counts   map[Severity]int `json:"-"`
	Findings []Finding        `json:"-"`
	// Children are the images of an index that run on a platform: no attestations.
	Children []Report `json:"-"`
}

// Merge returns one report of several images, all of which must pass a gate.
func Merge(reports ...Report) Report {
	if len(reports) == 1 {
		return reports[0]
	}
	return Report{Children: slices.Clone(reports)}
}

// Reference returns the name of the image for people.
func (r Report) Reference() string {
	switch {
	case r.Name != "":
		return r.Name
	case len(r.Tags) > 0:
		return r.Repository + ":" + r.Tags[0]
	case r.Digest != "":
		return r.Repository + "@" + string(r.Digest)
	case r.Repository != "":
		return r.Repository
	}
	return "image"
}

// title is the reference with the platform, where an index has several.
func (r Report) title() string {
	if r.Platform == "" {
		return r.Reference()
	}
	return r.Reference() + " (" + r.Platform + ")"
}

// images are the images of the report: itself, or all below it. What a child does not
// say of its repository is that of its index.
func (r Report) images() []Report {
	if len(r.Children) == 0 {
		return []Report{r}
	}
	var all []Report
	for _, child := range r.Children {
		if child.Name == "" {
			child.Name = r.Name
		}
		if child.Repository == "" {
			child.RegistryID, child.Repository = r.RegistryID, r.Repository
		}
		all = append(all, child.images()...)
	}
	return all
}

// countFindings counts by severity.
func countFindings(findings []Finding) map[Severity]int {
	counts := map[Severity]int{}
	for _, f := range findings {
		counts[f.Severity]++
	}
	return counts
}
