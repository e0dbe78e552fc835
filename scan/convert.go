package scan

import (
	"fmt"
	"strconv"
	"strings"
)

// finding converts one of basic scanning, whose facts are attributes: package_name,
// package_version, CVSS3_SCORE, CVSS3_VECTOR, and for older scans CVSS2.
func (f BasicFinding) finding() (Finding, error) {
	result := Finding{ID: f.Name, Severity: severityOf(f.Severity), Description: f.Description, URI: f.URI, Packages: []Package{}}
	var software Package
	generation := ""
	for _, a := range f.Attributes {
		switch a.Key {
		case "package_name":
			software.Name = a.Value
		case "package_version":
			software.Version = a.Value
		}
		version, ok := strings.CutSuffix(a.Key, "_SCORE")
		if !ok || !strings.HasPrefix(version, "CVSS") || version < generation {
			continue
		}
		n, err := strconv.ParseFloat(a.Value, 64)
		if err != nil {
			return result, fmt.Errorf("%s: %s is %q, which is not a number", f.Name, a.Key, a.Value)
		}
		if result.Score, err = checkScore(&n); err != nil {
			return result, fmt.Errorf("%s: %s: %w", f.Name, a.Key, err)
		}
		generation = version
	}
	for _, a := range f.Attributes {
		if generation != "" && a.Key == generation+"_VECTOR" {
			result.Vector = a.Value
		}
	}
	if software != (Package{}) {
		result.Packages = append(result.Packages, software)
	}
	return result, nil
}

// finding converts one of enhanced scanning.
func (f EnhancedFinding) finding() (Finding, error) {
	details := f.PackageVulnerabilityDetails
	result := Finding{
		ID:            details.VulnerabilityID,
		Severity:      severityOf(f.Severity),
		Title:         f.Title,
		Description:   f.Description,
		URI:           details.SourceURL,
		Packages:      []Package{},
		Fix:           known(f.FixAvailable),
		Exploit:       known(f.ExploitAvailable),
		State:         f.Status,
		ARN:           f.FindingARN,
		FirstObserved: f.FirstObservedAt.when(),
	}
	if result.ID == "" {
		result.ID = f.Title
	}
	score, vector := f.Score, ""
	if cvss := f.ScoreDetails.CVSS; cvss != nil {
		vector = cvss.ScoringVector
		if score == nil || *score == 0 {
			score = cvss.Score
		}
	}
	// Inspector's own rating is of the scanned image; those of the sources are the next best.
	generation := ""
	for _, c := range details.CVSS {
		if (score == nil || *score == 0 || generation != "") && c.BaseScore != nil && *c.BaseScore > 0 && c.Version > generation {
			score, vector, generation = c.BaseScore, c.ScoringVector, c.Version
		}
	}
	var err error
	if result.Score, err = checkScore(score); err != nil {
		return result, fmt.Errorf("%s: score: %w", result.ID, err)
	}
	result.Vector = vector
	for _, p := range details.VulnerablePackages {
		result.Packages = append(result.Packages, Package{
			Name:    p.Name,
			Version: packageVersion(p.Epoch, p.Version, p.Release),
			Fixed:   fixedVersion(p.FixedInVersion),
			Manager: p.PackageManager,
			Path:    p.FilePath,
			Layer:   p.SourceLayerHash,
		})
	}
	for _, resource := range f.Resources {
		image := resource.Details.Image
		if image == nil {
			continue
		}
		if n := image.InUseCount; n != nil && (result.InUse == nil || *n > *result.InUse) {
			result.InUse = n
		}
		if t := image.LastInUseAt.when(); t != nil && (result.LastInUse == nil || t.After(*result.LastInUse)) {
			result.LastInUse = t
		}
	}
	return result, nil
}

// checkScore takes 0 for unknown: it is what a client writes that has no score.
func checkScore(score *float64) (*float64, error) {
	switch {
	case score == nil || *score == 0:
		return nil, nil
	case !(*score > 0 && *score <= 10):
		return nil, fmt.Errorf("%v is not between 0 and 10", *score)
	}
	return score, nil
}

func known(s string) Answer {
	switch k := Answer(strings.ToUpper(s)); k {
	case Yes, No, Partial:
		return k
	}
	return Unknown
}

// packageVersion writes a version as rpm and dpkg do: [EPOCH:]VERSION[-RELEASE].
func packageVersion(epoch int64, version, release string) string {
	if epoch != 0 {
		version = strconv.FormatInt(epoch, 10) + ":" + version
	}
	if release != "" {
		version += "-" + release
	}
	return version
}

// fixedVersion leaves out what Inspector writes where there is no fix.
func fixedVersion(s string) string {
	if strings.EqualFold(s, "NotAvailable") {
		return ""
	}
	return s
}
