package registry

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/image-spec/specs-go/v1"
)

// scanInterval is the time in which basic scanning scans an image once (API reference of StartImageScan).
const scanInterval = 24 * time.Hour

// imageScan is the last scan of an image that was asked for, or that its push began.
type imageScan struct {
	Type      types.ScanType `json:"type"`
	StartedAt time.Time      `json:"startedAt"`
}

// scannable reports whether there is an image to scan: no index, and no other artifact.
func (rec *imageRecord) scannable() bool {
	return rec.MediaType != v1.MediaTypeImageIndex && rec.MediaType != mediaTypeDockerList && rec.signable()
}

// startScan begins the scan of an image that is new, or restored, at a time, if the registry or the
// repository want that.
func (repo *repository) startScan(rec *imageRecord, at time.Time) error {
	rec.Scan = nil
	c, err := repo.registry.scanning(repo.bucket.Tx())
	if err != nil {
		return err
	}
	if frequency, _ := c.frequency(&repo.record); frequency != types.ScanFrequencyManual && rec.scannable() {
		rec.Scan = &imageScan{Type: c.ScanType, StartedAt: at}
	}
	return nil
}

// StartImageScan scans an image: once in 24 hours, in basic scanning. Errors: RepositoryNotFound,
// ImageNotFound, UnsupportedImageType (an index or another artifact), ImageArchived, LimitExceeded,
// Validation (enhanced scanning), InvalidParameter.
func (r *Registry) StartImageScan(_ context.Context, in *ecr.StartImageScanInput) (*ecr.StartImageScanOutput, error) {
	if in.ImageId == nil {
		return nil, invalidParameter("imageId", "must not be null")
	}
	out := &ecr.StartImageScanOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		now := r.now()
		rec, err := repo.named(*in.ImageId)
		if err != nil {
			return err
		}
		c, err := r.scanning(repo.bucket.Tx())
		switch {
		case err != nil:
			return err
		case c.enhanced():
			// The text is as reported (alexjurkiewicz/ecr-scan-image#44).
			return &types.ValidationException{Message: aws.String("This feature is disabled")}
		case !rec.scannable():
			return rec.unsupportedImageType()
		case !rec.active(now):
			return &types.ImageArchivedException{Message: aws.String(fmt.Sprintf(
				"The image with digest '%s' in the repository with name '%s' is archived and cannot be scanned", rec.Digest, repo.record.Name))}
		case rec.Scan != nil && rec.Scan.Type == types.ScanTypeBasic && now.Sub(rec.Scan.StartedAt) < scanInterval:
			return limitExceeded("The scan quota per image has been exceeded. Wait and try again.")
		}
		rec.Scan = &imageScan{Type: types.ScanTypeBasic, StartedAt: now}
		out.ImageId = &types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: in.ImageId.ImageTag}
		out.ImageScanStatus = repo.scan(rec, c, now).status
		return repo.saveImage(rec)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// unsupportedImageType has ECR's text (alexjurkiewicz/ecr-scan-image#43).
func (rec *imageRecord) unsupportedImageType() error {
	kind := rec.MediaType
	if rec.ArtifactType != "" {
		kind = rec.ArtifactType
	}
	return &types.UnsupportedImageTypeException{Message: aws.String(fmt.Sprintf("An artifact with media type '%s' cannot be scanned", kind))}
}

// scan is how far the scan of an image is, nil if there is none.
func (repo *repository) scan(rec *imageRecord, c *scanningConfiguration, now time.Time) *scanProgress {
	if !rec.scannable() {
		return nil
	}
	frequency, _ := c.frequency(&repo.record)
	var start time.Time
	switch {
	case c.enhanced() && frequency == types.ScanFrequencyManual:
		return nil
	case rec.Scan != nil && rec.Scan.Type == c.ScanType:
		start = rec.Scan.StartedAt
	case frequency == types.ScanFrequencyContinuousScan:
		// What was there before is scanned too.
		start = c.Since
		for _, t := range []time.Time{rec.PushedAt, rec.ActivatedAt} {
			if t.After(start) {
				start = t
			}
		}
	default:
		return nil
	}
	if !rec.active(now) {
		return &scanProgress{status: &types.ImageScanStatus{
			Status: types.ScanStatusImageArchived, Description: aws.String("The image is archived and cannot be scanned."),
		}}
	}
	fixture := repo.registry.store.scanFixture(repo.record.Name, rec.Digest, rec.Tags)
	if fixture == nil {
		fixture = &ScanFixture{}
	}
	last := types.ScanStatusComplete
	if frequency == types.ScanFrequencyContinuousScan {
		last = types.ScanStatusActive
	}
	p := fixture.progress(start, now, c.enhanced(), last, repo.registry.store.scanTime)
	return &p
}

// DescribeImageScanFindings shows how far the scan of an image is, and what it has found. Errors:
// RepositoryNotFound, ImageNotFound, ScanNotFound, InvalidParameter.
func (r *Registry) DescribeImageScanFindings(_ context.Context, in *ecr.DescribeImageScanFindingsInput) (*ecr.DescribeImageScanFindingsOutput, error) {
	if in.ImageId == nil {
		return nil, invalidParameter("imageId", "must not be null")
	}
	p, err := newPage("DescribeImageScanFindings", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	first := 0
	if p.after != "" {
		if first, err = strconv.Atoi(p.after); err != nil || first < 0 {
			return nil, invalidParameter("nextToken", "must be a token returned by %s", p.operation)
		}
	}
	out := &ecr.DescribeImageScanFindingsOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err = r.view(in.RepositoryName, func(repo *repository) error {
		rec, err := repo.named(*in.ImageId)
		if err != nil {
			return err
		}
		c, err := r.scanning(repo.bucket.Tx())
		if err != nil {
			return err
		}
		scan := repo.scan(rec, c, r.now())
		if scan == nil {
			return &types.ScanNotFoundException{Message: aws.String(fmt.Sprintf(
				"Image scan does not exist for the image with '{imageDigest:'%s', imageTag:'%s'}' in the repository with name '%s' in the registry with id '%s'",
				rec.Digest, orNull(in.ImageId.ImageTag), repo.record.Name, r.account))}
		}
		out.ImageId = &types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: in.ImageId.ImageTag}
		out.ImageScanStatus, out.ImageScanFindings = scan.status, scan.findings
		if f := scan.findings; f != nil {
			var more, moreEnhanced bool
			f.Findings, more = pageOf(f.Findings, first, p.size)
			f.EnhancedFindings, moreEnhanced = pageOf(f.EnhancedFindings, first, p.size)
			if more || moreEnhanced {
				out.NextToken = p.next(strconv.Itoa(first + p.size))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pageOf is the part of a list that begins at first, and whether there is more behind it.
func pageOf[T any](list []T, first, size int) ([]T, bool) {
	first = min(first, len(list))
	if len(list)-first > size {
		return list[first : first+size], true
	}
	return list[first:], false
}
