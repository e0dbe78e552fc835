package cli

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/scan"
)

// A response of the SDK has the field names of the API, and is a page.
func TestScanPageOfTheSDK(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	page, err := scan.PageOf(&ecr.DescribeImageScanFindingsOutput{
		RegistryId:      aws.String("123456789012"),
		RepositoryName:  aws.String("app"),
		ImageId:         &types.ImageIdentifier{ImageTag: aws.String("1.0")},
		ImageScanStatus: &types.ImageScanStatus{Status: types.ScanStatusActive, Description: aws.String("continuous")},
		ImageScanFindings: &types.ImageScanFindings{
			ImageScanCompletedAt:  &at,
			FindingSeverityCounts: map[string]int32{"HIGH": 2},
			Findings: []types.ImageScanFinding{{
				Name: aws.String("CVE-1"), Severity: types.FindingSeverityHigh, Uri: aws.String("https://example.com/CVE-1"),
				Attributes: []types.Attribute{{Key: aws.String("package_name"), Value: aws.String("bash")}},
			}},
			EnhancedFindings: []types.EnhancedImageScanFinding{{
				Severity: aws.String("HIGH"), FixAvailable: aws.String("YES"), ExploitAvailable: aws.String("NO"),
				PackageVulnerabilityDetails: &types.PackageVulnerabilityDetails{
					VulnerabilityId: aws.String("CVE-2"), SourceUrl: aws.String("https://example.com/CVE-2"),
					Cvss:               []types.CvssScore{{BaseScore: 7.5, ScoringVector: aws.String("CVSS:3.1/AV:N"), Version: aws.String("3.1")}},
					VulnerablePackages: []types.VulnerablePackage{{Name: aws.String("zlib"), Epoch: aws.Int32(1), Version: aws.String("1.2"), FixedInVersion: aws.String("1.3")}},
				},
				Resources: []types.Resource{{Details: &types.ResourceDetails{AwsEcrContainerImage: &types.AwsEcrContainerImageDetails{
					Architecture: aws.String("amd64"), InUseCount: aws.Int64(3), LastInUseAt: &at,
				}}}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	reports, err := scan.Reports(page)
	if err != nil || len(reports) != 1 {
		t.Fatal(reports, err)
	}
	r := reports[0]
	if r.Reference() != "app:1.0" || r.Status != scan.StatusActive || r.CompletedAt == nil || !r.CompletedAt.Equal(at) || r.Platform != "amd64" || r.Counts[scan.High] != 2 {
		t.Errorf("%+v", r)
	}
	enhanced, basic := r.Findings[0], r.Findings[1]
	if enhanced.ID != "CVE-2" || enhanced.URI != "https://example.com/CVE-2" || enhanced.Fix != scan.Yes || *enhanced.Score != 7.5 || enhanced.Vector != "CVSS:3.1/AV:N" ||
		*enhanced.InUse != 3 || enhanced.LastInUse == nil || enhanced.Packages[0] != (scan.Package{Name: "zlib", Version: "1:1.2", Fixed: "1.3"}) {
		t.Errorf("%+v", enhanced)
	}
	if basic.ID != "CVE-1" || basic.URI != "https://example.com/CVE-1" || basic.Packages[0].Name != "bash" || basic.Score != nil {
		t.Errorf("%+v", basic)
	}
}
