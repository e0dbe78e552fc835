package cli

import (
	"context"
	"time"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// defaultScanTimeout is how long a scan is waited for. Those of large images take minutes.
const defaultScanTimeout = 15 * time.Minute

// scannedReference is an image in Amazon ECR with what of it is scanned.
type scannedReference struct {
	name       string // as it was given
	registry   *governance.Registry
	repository string
	image      content.Manifest
	images     []governance.ScannedImage
}

// openScanned finds what of an image is scanned. A tag is resolved once.
func (app *App) openScanned(ctx context.Context, name string) (scannedReference, error) {
	reference, err := app.parseReference(name)
	if err != nil {
		return scannedReference{}, err
	}
	if reference.Kind != ref.KindECR {
		return scannedReference{}, usagef("%s is not in Amazon ECR, which scans images; name one as HOST/REPOSITORY:TAG", name)
	}
	s := scannedReference{name: name, repository: reference.Repository}
	if s.registry, err = app.governanceOf(ctx, reference.Registry); err != nil {
		return s, err
	}
	source, err := app.openECR(ctx, reference)
	if err != nil {
		return s, err
	}
	if s.image, err = transfer.ReadManifest(ctx, source, withLatest(reference).Name(), nil); err != nil {
		return s, err
	}
	s.images, err = governance.ScannedImages(ctx, source, s.image)
	return s, err
}

// scans waits for the scans of the image.
func (s scannedReference) scans(ctx context.Context, o governance.ScanWait) (scan.Report, error) {
	report, err := s.registry.Scans(ctx, s.repository, s.images, o)
	report.Name, report.Digest = s.name, s.image.Descriptor.Digest
	return report, err
}

// scansOf waits for the scans of several images.
func (app *App) scansOf(ctx context.Context, names []string, timeout time.Duration) (scan.Report, error) {
	var reports []scan.Report
	for _, name := range names {
		s, err := app.openScanned(ctx, name)
		if err != nil {
			return scan.Report{}, err
		}
		end, err := app.waiting("the scan of "+name, timeout)
		if err != nil {
			return scan.Report{}, err
		}
		report, err := s.scans(ctx, governance.ScanWait{Limit: timeout})
		end()
		if err != nil {
			return scan.Report{}, err
		}
		reports = append(reports, report)
	}
	return scan.Merge(reports...), nil
}
