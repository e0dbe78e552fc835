package scan

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Page is a response of DescribeImageScanFindings, as the AWS CLI prints it and as the
// JSON of the response of an SDK has it.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
type Page struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
	ImageID        struct {
		ImageDigest string `json:"imageDigest"`
		ImageTag    string `json:"imageTag"`
	} `json:"imageId"`
	ImageScanStatus   *PageStatus   `json:"imageScanStatus"`
	ImageScanFindings *PageFindings `json:"imageScanFindings"`
	// NextToken is there if there is another page. The AWS CLI writes one too when it was
	// stopped before the end (--max-items).
	NextToken string `json:"nextToken"`
}

// PageStatus is ImageScanStatus.
type PageStatus struct {
	Status      string `json:"status"`
	Description string `json:"description"`
}

// PageFindings is ImageScanFindings.
type PageFindings struct {
	ImageScanCompletedAt         *Timestamp        `json:"imageScanCompletedAt"`
	VulnerabilitySourceUpdatedAt *Timestamp        `json:"vulnerabilitySourceUpdatedAt"`
	FindingSeverityCounts        map[string]int    `json:"findingSeverityCounts"`
	Findings                     []BasicFinding    `json:"findings"`
	EnhancedFindings             []EnhancedFinding `json:"enhancedFindings"`
}

// empty reports whether there is nothing in it that Amazon ECR says of a scan: not even that it
// found nothing.
func (f *PageFindings) empty() bool {
	return f == nil || f.ImageScanCompletedAt == nil && f.VulnerabilitySourceUpdatedAt == nil &&
		f.FindingSeverityCounts == nil && f.Findings == nil && f.EnhancedFindings == nil
}

// BasicFinding is ImageScanFinding. Package, version and score are among its attributes.
type BasicFinding struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	URI         string `json:"uri"`
	Severity    string `json:"severity"`
	Attributes  []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"attributes"`
}

// EnhancedFinding is EnhancedImageScanFinding.
type EnhancedFinding struct {
	FindingARN       string     `json:"findingArn"`
	Title            string     `json:"title"`
	Description      string     `json:"description"`
	Severity         string     `json:"severity"`
	Status           string     `json:"status"`
	Score            *float64   `json:"score"`
	FixAvailable     string     `json:"fixAvailable"`
	ExploitAvailable string     `json:"exploitAvailable"`
	FirstObservedAt  *Timestamp `json:"firstObservedAt"`
	ScoreDetails     struct {
		CVSS *struct {
			Score         *float64 `json:"score"`
			ScoringVector string   `json:"scoringVector"`
		} `json:"cvss"`
	} `json:"scoreDetails"`
	PackageVulnerabilityDetails struct {
		VulnerabilityID string `json:"vulnerabilityId"`
		SourceURL       string `json:"sourceUrl"`
		CVSS            []struct {
			BaseScore     *float64 `json:"baseScore"`
			ScoringVector string   `json:"scoringVector"`
			Version       string   `json:"version"`
		} `json:"cvss"`
		VulnerablePackages []struct {
			Name            string `json:"name"`
			Epoch           int64  `json:"epoch"`
			Version         string `json:"version"`
			Release         string `json:"release"`
			FixedInVersion  string `json:"fixedInVersion"`
			PackageManager  string `json:"packageManager"`
			FilePath        string `json:"filePath"`
			SourceLayerHash string `json:"sourceLayerHash"`
		} `json:"vulnerablePackages"`
	} `json:"packageVulnerabilityDetails"`
	Resources []struct {
		Details struct {
			Image *struct {
				Architecture   string     `json:"architecture"`
				ImageHash      string     `json:"imageHash"`
				ImageTags      []string   `json:"imageTags"`
				InUseCount     *int64     `json:"inUseCount"`
				LastInUseAt    *Timestamp `json:"lastInUseAt"`
				Platform       string     `json:"platform"`
				RepositoryName string     `json:"repositoryName"`
			} `json:"awsEcrContainerImage"`
		} `json:"details"`
	} `json:"resources"`
}

// Timestamp is a time as the AWS CLI prints it (2026-01-31T12:00:00+00:00) or as the API
// sends it (seconds since 1970).
type Timestamp struct{ time.Time }

// maxEpoch is the end of the year 9999, after which a time has no JSON form.
const maxEpoch = 253402300799

// UnmarshalJSON reads both forms.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	if s, err := strconv.ParseFloat(string(data), 64); err == nil {
		if math.IsNaN(s) || s < 0 || s > maxEpoch {
			return fmt.Errorf("%s is not a time in seconds since 1970", data)
		}
		whole, fraction := math.Modf(s)
		t.Time = time.Unix(int64(whole), int64(fraction*1000)*int64(time.Millisecond)).UTC()
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("a time is neither a number nor a text")
	}
	parsed, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1))
	if err != nil {
		return fmt.Errorf("%q is not a time; write it as 2026-01-31T12:00:00Z", s)
	}
	t.Time = parsed.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return fmt.Errorf("%q is not a time", s)
	}
	return nil
}

// when is nil if t is.
func (t *Timestamp) when() *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	return &t.Time
}
