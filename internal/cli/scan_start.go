package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanStartHelp = `Start the scan of images: of an index that of each image for a platform.

  ecrkit scan start HOST/app:1.2
  ecrkit scan start HOST/app:1.2 && ecrkit scan gate HOST/app:1.2 --policy scan-policy.yaml

Only basic scanning can be started, and takes an image once in 24 hours, the scan on push
included; ecrkit scan report shows what was found then. Enhanced scanning (Amazon
Inspector) scans images automatically. ecrkit repo scanning shows what a registry uses.

Prints each image and the status of its scan, or with --output json one object: scans
(reference, digest, platform, status), failed (reference, digest, platform, error). Exit
code 3 if some scans were started and some not. Needs ecr:BatchGetImage and
ecr:StartImageScan.`

// startedScan is the JSON form of a scan that was started.
type startedScan struct {
	Reference string        `json:"reference"`
	Digest    digest.Digest `json:"digest,omitempty"`
	Platform  string        `json:"platform,omitempty"`
	Status    scan.Status   `json:"status,omitempty"`
	Error     *failure      `json:"error,omitempty"`
}

func newScanStartCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "start REF...",
		Short: "Start the scan of images",
		Long:  scanStartHelp,
		Args:  atLeast("REF"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.startScans(cmd.Context(), args) },
	}
}

func (app *App) startScans(ctx context.Context, names []string) error {
	result := struct {
		Scans  []startedScan `json:"scans"`
		Failed []startedScan `json:"failed"`
	}{[]startedScan{}, []startedScan{}}
	var failures []error
	var text strings.Builder
	for _, name := range names {
		s, err := app.openScanned(ctx, name)
		if err != nil {
			failures = append(failures, err)
			result.Failed = append(result.Failed, startedScan{Reference: name, Error: failureOf(name, err)})
			continue
		}
		for _, image := range s.images {
			one := startedScan{Reference: name, Digest: image.Digest, Platform: image.Platform}
			if one.Status, err = s.registry.StartScan(ctx, s.repository, image.Digest); err != nil {
				failures = append(failures, err)
				one.Error = failureOf(name, err)
				result.Failed = append(result.Failed, one)
				continue
			}
			result.Scans = append(result.Scans, one)
			fmt.Fprintf(&text, "%s  %s\n", one.Digest, strings.TrimSpace(image.Platform+"  "+string(one.Status)))
		}
	}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	return partly(len(result.Scans), failures)
}
