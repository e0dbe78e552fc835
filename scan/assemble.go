package scan

import (
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
)

// imageKey tells the images of pages apart.
type imageKey struct{ registry, repository, image string }

func (p Page) key() imageKey {
	image := p.ImageID.ImageDigest
	if image == "" {
		image = p.ImageID.ImageTag
	}
	return imageKey{p.RegistryID, p.RepositoryName, image}
}

// Reports returns a report for each image that the pages, in any order, are about. It is
// an error if pages of an image are missing, which wraps ErrNoResult, or if there are two
// scans of it.
func Reports(pages ...Page) ([]Report, error) {
	var order []imageKey
	byImage := map[imageKey][]Page{}
	for _, p := range pages {
		if byImage[p.key()] == nil {
			order = append(order, p.key())
		}
		byImage[p.key()] = append(byImage[p.key()], p)
	}
	reports := make([]Report, 0, len(order))
	total := 0
	for _, key := range order {
		report, err := assemble(byImage[key])
		if err != nil {
			return nil, err
		}
		if total += len(report.Findings); total > maxFindings {
			return nil, fmt.Errorf("findings: more than %d", maxFindings)
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// assemble makes the report of the pages of one image.
func assemble(pages []Page) (Report, error) {
	first := pages[0]
	r := Report{RegistryID: first.RegistryID, Repository: first.RepositoryName}
	if first.ImageID.ImageTag != "" {
		r.Tags = []string{first.ImageID.ImageTag}
	}
	if first.ImageID.ImageDigest != "" {
		d, err := digest.Parse(first.ImageID.ImageDigest)
		if err != nil {
			return r, fmt.Errorf("findings of %s: digest %q: %w", r.Reference(), first.ImageID.ImageDigest, err)
		}
		r.Digest = d
	}
	if err := complete(pages); err != nil {
		return r, fmt.Errorf("findings of %s: %w", r.Reference(), err)
	}
	for _, p := range pages {
		if err := r.add(p); err != nil {
			return r, fmt.Errorf("findings of %s: %w", r.Reference(), err)
		}
	}
	slices.SortStableFunc(r.Findings, compareFindings)
	return r, nil
}

// complete reports whether exactly one of the pages is the last one.
func complete(pages []Page) error {
	last := 0
	seen := map[string]bool{}
	for _, p := range pages {
		switch {
		case p.NextToken == "":
			last++
		case seen[p.NextToken]:
			return fmt.Errorf("a page appears twice")
		}
		seen[p.NextToken] = true
		if p.status() != pages[0].status() {
			return fmt.Errorf("%w: its status was %s on one page and %s on another; read them again", ErrNoResult, pages[0].status(), p.status())
		}
		// Amazon ECR answers with findings, of which there may be none, once a scan is done.
		// A page without is one from which somebody took them.
		if p.status().Done() && p.ImageScanFindings.empty() {
			return fmt.Errorf("%w: its status is %s, but imageScanFindings is missing; use the whole output of aws ecr describe-image-scan-findings",
				ErrNoResult, p.status())
		}
	}
	switch {
	case last == 0:
		return fmt.Errorf("%w: they are incomplete, as nextToken names another page; add all pages", ErrNoResult)
	case last > 1:
		return fmt.Errorf("there are %d scans of it; keep one", last)
	}
	return nil
}

func (p Page) status() Status {
	if p.ImageScanStatus == nil {
		return ""
	}
	return Status(p.ImageScanStatus.Status)
}

// add puts a page to what is known of the image.
func (r *Report) add(p Page) error {
	if s := p.ImageScanStatus; s != nil {
		r.Status, r.StatusDescription = Status(s.Status), s.Description
	}
	found := p.ImageScanFindings
	if found == nil {
		return nil
	}
	if t := found.ImageScanCompletedAt.when(); t != nil {
		r.CompletedAt = t
	}
	if t := found.VulnerabilitySourceUpdatedAt.when(); t != nil {
		r.SourceUpdatedAt = t
	}
	counts := map[Severity]int{}
	for name, n := range found.FindingSeverityCounts {
		if n < 0 {
			return fmt.Errorf("%d findings of severity %s", n, name)
		}
		counts[severityOf(name)] += n
	}
	// Each page has the counts of all.
	for severity, n := range counts {
		if r.Counts == nil {
			r.Counts = map[Severity]int{}
		}
		r.Counts[severity] = max(r.Counts[severity], n)
	}
	for _, f := range found.Findings {
		finding, err := f.finding()
		if err != nil {
			return err
		}
		r.Findings = append(r.Findings, finding)
		if r.Type == "" {
			r.Type = Basic
		}
	}
	for _, f := range found.EnhancedFindings {
		finding, err := f.finding()
		if err != nil {
			return err
		}
		r.Findings, r.Type = append(r.Findings, finding), Enhanced
		r.learn(f)
	}
	return nil
}

// learn takes the facts about the image from an enhanced finding.
func (r *Report) learn(f EnhancedFinding) {
	for _, resource := range f.Resources {
		image := resource.Details.Image
		if image == nil || r.Digest != "" && image.ImageHash != "" && image.ImageHash != string(r.Digest) {
			continue
		}
		if r.Platform == "" {
			r.Platform = image.Architecture
		}
		if r.System == "" {
			r.System = image.Platform
		}
		if len(r.Tags) == 0 {
			r.Tags = slices.Clone(image.ImageTags)
		}
	}
}
