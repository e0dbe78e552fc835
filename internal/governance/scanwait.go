package governance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/scan"
)

// Why there is no scan, as [scan.Report].StatusDescription has it.
const (
	NoScanRule    = "the registry has enhanced scanning, and none of its rules includes this repository"
	NoScanStarted = "no scan was started, and Amazon ECR does not scan the images of this repository automatically"
)

// scansAtOnce is how many images of an index are waited for at once.
const scansAtOnce = 8

// ScanWait describes how scans are waited for.
type ScanWait struct {
	// Limit is for how long, requests and their retries included. 0 looks once.
	Limit time.Duration
	// Start starts the scan of an image of which there is none and will be none by itself.
	Start bool
}

// Scans waits until the scans of images have ended, and returns a report with one child for
// each image, in their order. A scan that has not ended when the limit is over, or that
// there is none, is no error but a status that no gate lets pass.
//
// Where images are scanned automatically, one of which there is no scan yet is asked for
// until the limit is over; elsewhere only if one was started.
func (r *Registry) Scans(ctx context.Context, repository string, images []ScannedImage, o ScanWait) (scan.Report, error) {
	w := scanWait{Registry: r, repository: repository, ScanWait: o}
	report := scan.Report{RegistryID: r.Account, Repository: repository, Children: make([]scan.Report, len(images))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scansAtOnce)
	until := time.Now().Add(o.Limit)
	for i, image := range images {
		group.Go(func() error {
			one, err := w.image(ctx, image, left(o.Limit, until))
			if image.Platform != "" {
				one.Platform = image.Platform
			}
			report.Children[i] = one
			return err
		})
	}
	return report, group.Wait()
}

// scanWait waits for the scans of images of a repository.
type scanWait struct {
	*Registry
	ScanWait
	repository string

	once     sync.Once
	scanning Scanning
	err      error // that it cannot be known which applies
}

func (w *scanWait) image(ctx context.Context, image ScannedImage, limit time.Duration) (scan.Report, error) {
	var report scan.Report
	started := false
	_, err := await(ctx, limit, func(ctx context.Context) (done bool, err error) {
		report, err = w.ScanReport(ctx, w.repository, image.Digest)
		switch {
		case err != nil:
			return false, err
		case report.Status != "":
			return !report.Status.Waiting(), nil
		case started:
			return false, nil
		}
		scanning, unknown := w.applies(ctx)
		switch {
		case unknown == nil && scanning.Automatic():
			report.StatusDescription = "there is no scan yet; Amazon ECR scans the images of this repository automatically"
			return false, nil
		case unknown == nil && scanning.Type == ScanEnhanced:
			report.StatusDescription = NoScanRule
			return true, nil
		case !w.Start:
			report.StatusDescription = NoScanStarted
			if unknown != nil {
				report.StatusDescription = fmt.Sprintf("it is not known whether there will be one: %v", unknown)
			}
			return unknown == nil, nil
		}
		switch status, err := w.StartScan(ctx, w.repository, image.Digest); {
		case errors.Is(err, ErrNotScannable):
			report.Status, report.StatusDescription = scan.StatusUnsupportedImage, err.Error()
			return true, nil
		case errors.Is(err, ErrScannedToday), errors.Is(err, ErrEnhancedScanning) && unknown != nil:
			// Somebody else has started it, or it will be there by itself.
		case err != nil:
			return false, err
		default:
			report.Status = status
		}
		started = true
		return false, nil
	})
	return report, err
}

// applies is how images of the repository are scanned. It is asked for once.
func (w *scanWait) applies(ctx context.Context) (Scanning, error) {
	w.once.Do(func() {
		all, err := w.Scanning(ctx, []string{w.repository})
		scanning, ok := all[w.repository]
		if err == nil && !ok {
			err = fmt.Errorf("scanning of %s/%s: the answer does not tell it", w.Host, w.repository)
		}
		w.scanning, w.err = scanning, err
	})
	return w.scanning, w.err
}
