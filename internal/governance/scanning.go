package governance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/lifecycle"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Why a scan cannot be started.
var (
	ErrScannedToday     = errors.New("it was scanned within the last 24 hours, and basic scanning takes an image once in that time, the scan on push included")
	ErrEnhancedScanning = errors.New("the registry has enhanced scanning: Amazon Inspector scans images automatically, and no scan can be started")
	ErrNotScannable     = errors.New("it is of a kind that is not scanned")
)

const (
	findingsPage     = 1000 // the most of DescribeImageScanFindings
	maxFindingsPages = 1000
	findingsReadings = 3 // how often findings that change are read

	// clockDifference is how far the clock of this machine may be from that of Amazon ECR.
	clockDifference = 5 * time.Minute
	maxIndexDepth   = 8
)

// ScannedImage is an image that is scanned: one that an index lists for a platform, or
// an image alone.
type ScannedImage struct {
	Digest   digest.Digest
	Platform string // of the index; "" if it is not said
}

// ScannedImages returns what of an image in src is scanned: of an index, which itself is
// not, all images but those that are for no platform, as attestations are. That there is
// none is an error, which wraps [scan.ErrNoResult].
func ScannedImages(ctx context.Context, src content.Source, image content.Manifest) ([]ScannedImage, error) {
	images, err := scannedImages(ctx, src, image, "", 0)
	if err == nil && len(images) == 0 {
		err = fmt.Errorf("%s@%s: %w: the index lists no image for a platform", src, image.Descriptor.Digest, scan.ErrNoResult)
	}
	return images, err
}

func scannedImages(ctx context.Context, src content.Source, image content.Manifest, platform string, depth int) ([]ScannedImage, error) {
	if i := (lifecycle.Image{MediaType: image.Descriptor.MediaType}); !i.IsIndex() {
		return []ScannedImage{{image.Descriptor.Digest, platform}}, nil
	}
	var index ocispec.Index
	if err := strictjson.Unmarshal(image.Content, &index); err != nil {
		return nil, fmt.Errorf("%s@%s: %w", src, image.Descriptor.Digest, err)
	}
	if depth == maxIndexDepth {
		return nil, fmt.Errorf("%s: index %s: indexes are within each other too deeply", src, image.Descriptor.Digest)
	}
	artifacts, err := imagetree.Artifacts(ctx, src, index.Manifests)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src, err)
	}
	var images []ScannedImage
	seen := map[digest.Digest]bool{}
	for _, d := range index.Manifests {
		// Only this keeps everybody from running it, whatever else it says of itself.
		if p := d.Platform; p != nil && p.OS == "unknown" && p.Architecture == "unknown" {
			continue
		}
		if artifacts[d.Digest] != "" {
			continue // nobody can run it, and Amazon ECR does not scan it
		}
		child := content.Manifest{Descriptor: d}
		if i := (lifecycle.Image{MediaType: d.MediaType}); i.IsIndex() {
			if child, err = transfer.ReadManifest(ctx, src, string(d.Digest), nil); err != nil {
				return nil, err
			}
		}
		below, err := scannedImages(ctx, src, child, platformName(d.Platform), depth+1)
		if err != nil {
			return nil, err
		}
		for _, i := range below {
			if !seen[i.Digest] {
				seen[i.Digest] = true
				images = append(images, i)
			}
		}
	}
	return images, nil
}

func platformName(p *ocispec.Platform) string {
	switch {
	case p == nil || p.OS == "":
		return ""
	case p.Variant != "":
		return p.OS + "/" + p.Architecture + "/" + p.Variant
	}
	return p.OS + "/" + p.Architecture
}

func (r *Registry) scanObject(repository string, image digest.Digest) string {
	return fmt.Sprintf("scan of %s/%s@%s", r.Host, repository, image)
}

// StartScan starts the scan of an image, and returns its status. The error may wrap
// [ErrScannedToday], [ErrEnhancedScanning] or [ErrNotScannable]. If an answer was lost, a scan
// that is running or has just ended is taken for the one that the call has started.
func (r *Registry) StartScan(ctx context.Context, repository string, image digest.Digest) (scan.Status, error) {
	began := time.Now()
	calling, earlier := awscalls.WithEarlier(ctx)
	out, err := r.api.StartImageScan(calling, &ecr.StartImageScanInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), ImageId: &types.ImageIdentifier{ImageDigest: aws.String(string(image))},
	})
	object := r.scanObject(repository, image)
	var (
		limit       *types.LimitExceededException
		invalid     *types.ValidationException
		unsupported *types.UnsupportedImageTypeException
		archived    *types.ImageArchivedException
	)
	switch {
	case errors.As(err, &limit) && earlier.MayHaveRun():
		report, err := r.ScanReport(ctx, repository, image)
		if err == nil && (report.Status.Waiting() || report.CompletedAt != nil && report.CompletedAt.After(began.Add(-clockDifference))) {
			return report.Status, nil
		}
		fallthrough
	case errors.As(err, &limit):
		return "", fmt.Errorf("%s: %w: %s", object, ErrScannedToday, auth.Redact(limit.ErrorMessage()))
	case errors.As(err, &invalid):
		return "", fmt.Errorf("%s: %w (%s)", object, ErrEnhancedScanning, auth.Redact(invalid.ErrorMessage()))
	case errors.As(err, &unsupported):
		return "", fmt.Errorf("%s: %w: %s", object, ErrNotScannable, auth.Redact(unsupported.ErrorMessage()))
	case errors.As(err, &archived):
		return "", fmt.Errorf("%s: it is in the archive; restore it to have it scanned", object)
	case err != nil:
		return "", r.fail(object, repository, err)
	}
	if out.ImageScanStatus == nil {
		return scan.StatusPending, nil
	}
	return scan.Status(out.ImageScanStatus.Status), nil
}

// ScanReport reads the status of the scan of an image and, once it is done, all findings.
// The status "" is that there is no scan.
func (r *Registry) ScanReport(ctx context.Context, repository string, image digest.Digest) (scan.Report, error) {
	for reading := 1; ; reading++ {
		report, err := r.readFindings(ctx, repository, image)
		if !errors.Is(err, scan.ErrNoResult) || reading == findingsReadings {
			return report, err
		}
	}
}

func (r *Registry) readFindings(ctx context.Context, repository string, image digest.Digest) (scan.Report, error) {
	object := r.scanObject(repository, image)
	none := scan.Report{RegistryID: r.Account, Repository: repository, Digest: image}
	in := &ecr.DescribeImageScanFindingsInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), MaxResults: aws.Int32(findingsPage),
		ImageId: &types.ImageIdentifier{ImageDigest: aws.String(string(image))},
	}
	var pages []scan.Page
	for more := true; more; {
		out, err := r.api.DescribeImageScanFindings(ctx, in)
		var noScan *types.ScanNotFoundException
		switch {
		case errors.As(err, &noScan):
			return none, nil
		case err != nil:
			return none, r.fail(object, repository, err)
		case out.ImageScanStatus == nil:
			return none, fmt.Errorf("%s: the answer has no status", object)
		}
		page, err := scan.PageOf(out)
		if err != nil {
			return none, fmt.Errorf("%s: %w", object, err)
		}
		if got := page.ImageID.ImageDigest; got != "" && got != string(image) {
			return none, fmt.Errorf("%s: the answer is about another image, %q", object, got)
		}
		page.RegistryID, page.RepositoryName = r.Account, repository
		page.ImageID.ImageDigest, page.ImageID.ImageTag = string(image), ""
		if !scan.Status(out.ImageScanStatus.Status).Done() {
			page.NextToken = "" // of findings that do not count yet
		}
		if pages = append(pages, page); len(pages) > maxFindingsPages {
			return none, fmt.Errorf("%s: the answers have no end", object)
		}
		more, in.NextToken = page.NextToken != "", aws.String(page.NextToken)
	}
	reports, err := scan.Reports(pages...)
	switch {
	case err != nil:
		return none, err
	case len(reports) != 1:
		return none, fmt.Errorf("%s: the answers are about %d images", object, len(reports))
	}
	return reports[0], nil
}
