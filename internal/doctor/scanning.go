package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/auth"
)

// scanning reads the status of the image's scan.
type scanning struct{}

// Run implements [Check].
func (scanning) Run(ctx context.Context, s *Session) Finding {
	var known *imageFacts
	var onPush bool
	s.know(func(f *facts) { known, onPush = f.image, f.scanned })
	if !s.Subject.isECR() || known == nil {
		return skipped("no image in Amazon ECR")
	}
	api, err := s.ecr(ctx)
	if err != nil {
		return s.fail("DescribeImageScanFindings", err)
	}
	named := s.Subject.Reference
	if named.Name() == "" {
		named.Tag = "latest"
	}
	image := named.String()
	out, err := api.DescribeImageScanFindings(ctx, &ecr.DescribeImageScanFindingsInput{RegistryId: s.account(), RepositoryName: s.repository(),
		ImageId: &types.ImageIdentifier{ImageDigest: &known.digest}, MaxResults: aws.Int32(1)})
	var missing *types.ScanNotFoundException
	switch {
	case errors.As(err, &missing) && onPush:
		return warning("the image was not scanned: it was pushed before scan on push was set", "Start a scan with `ecrkit scan start "+image+"`.")
	case errors.As(err, &missing):
		return warning("the image was not scanned, and the repository has no scan on push",
			"Start a scan with `ecrkit scan start "+image+"`.", "`ecrkit repo scanning add` has images scanned when they are pushed.")
	case isDenied(err):
		return skipped("ecr:DescribeImageScanFindings is not permitted")
	case err != nil:
		f := s.fail("DescribeImageScanFindings", err)
		f.Status = Warning
		return f
	case out.ImageScanStatus == nil:
		return warning("the answer of DescribeImageScanFindings has no status")
	}
	return judgeScan(image, out)
}

func judgeScan(image string, out *ecr.DescribeImageScanFindingsOutput) Finding {
	status, why := out.ImageScanStatus.Status, auth.Redact(aws.ToString(out.ImageScanStatus.Description))
	found := fmt.Sprintf("the scan has the status %s", status)
	if why != "" {
		found += ": " + why
	}
	switch status {
	case types.ScanStatusComplete, types.ScanStatusActive:
	case types.ScanStatusPending, types.ScanStatusInProgress:
		return ok(found)
	case types.ScanStatusUnsupportedImage:
		return warning(found, "Basic scanning does not know this operating system or version (nor an image FROM scratch): use a supported base image, or enhanced scanning (Amazon Inspector).")
	case types.ScanStatusFailed:
		return warning(found, "If the description says UnsupportedImageError, the operating system of the image is not scanned: use a supported base image, or enhanced scanning.",
			"Otherwise start the scan again with `ecrkit scan start "+image+"`.")
	case types.ScanStatusScanEligibilityExpired:
		return warning(found, "Enhanced scanning no longer scans the image: push it again, or lengthen the duration in the settings of Amazon Inspector.")
	case types.ScanStatusLimitExceeded:
		return warning(found, "Remove images that are not used (`ecrkit lifecycle`), or have the quota of Amazon Inspector raised.")
	default:
		return warning(found, "Run `ecrkit scan report "+image+"`.")
	}
	if f := out.ImageScanFindings; f != nil && f.FindingSeverityCounts["UNDEFINED"] > 0 {
		return warning(fmt.Sprintf("%s of the severity UNDEFINED: the source of the CVE has no priority that Amazon ECR knows", count(int(f.FindingSeverityCounts["UNDEFINED"]), "finding")),
			"Look at the CVEs themselves: `ecrkit scan report "+image+"` lists them.")
	}
	return ok(found)
}
