package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanWaitHelp = `Wait until the scans of images are complete; of an index, those of each image for a platform.

  ecrkit scan wait HOST/app:1.2
  ecrkit scan wait HOST/app:1.2 HOST/db:7 --timeout 30m

A basic scan ends as COMPLETE. ACTIVE is what continuous scanning has for good, once there
are findings. If Amazon ECR scans the images automatically, ecrkit waits for a scan
that does not exist yet. If it does not, and no scan was started, the command fails at once.

Prints each image, its status and how much was found, or with --output json one object:
scans (reference, digest, platform, status, statusDescription, completedAt, counts by
severity). Exit code 1 if the scan of an image failed, or is not complete in time. Needs
ecr:BatchGetImage, ecr:DescribeImageScanFindings, ecr:GetRegistryScanningConfiguration and
ecr:BatchGetRepositoryScanningConfiguration.`

// endedScan is the JSON form of a scan that was waited for.
type endedScan struct {
	Reference         string                `json:"reference"`
	Digest            digest.Digest         `json:"digest"`
	Platform          string                `json:"platform,omitempty"`
	Status            scan.Status           `json:"status"`
	StatusDescription string                `json:"statusDescription,omitempty"`
	CompletedAt       *time.Time            `json:"completedAt,omitempty"`
	Counts            map[scan.Severity]int `json:"counts"`
}

func newScanWaitCommand(app *App) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait REF...",
		Short: "Wait until the scans of images are complete",
		Long:  scanWaitHelp,
		Args:  atLeast("REF"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.waitForScans(cmd.Context(), args, timeout) },
	}
	timeVar(cmd.Flags(), &timeout, "timeout", defaultScanTimeout, "how long to wait; 0 looks once")
	return cmd
}

func (app *App) waitForScans(ctx context.Context, names []string, timeout time.Duration) error {
	report, err := app.scansOf(ctx, names, timeout)
	if err != nil {
		return err
	}
	result := struct {
		Scans []endedScan `json:"scans"`
	}{[]endedScan{}}
	t := table{header: []string{"REFERENCE", "PLATFORM", "STATUS", "FINDINGS"}, wrap: true}
	v := scan.ListFindings(report, app.Now())
	for _, i := range v.Images {
		result.Scans = append(result.Scans, endedScan{i.Reference, i.Digest, i.Platform, i.Status, i.StatusDescription, i.CompletedAt, i.Counts})
		status, found := string(i.Status), showCounts(i.Counts)
		if !i.Status.Done() {
			found = ""
		}
		if status == "" {
			status = "none"
		}
		t.add(i.Reference, i.Platform, status, found)
	}
	var text strings.Builder
	_ = t.print(&text, app.columns()) // a strings.Builder takes everything
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	return notScanned(v)
}

// notScanned is the error of images whose scan has not ended well, or nil.
func notScanned(v scan.Verdict) error {
	var missing []string
	for _, i := range v.Images {
		if !i.Status.Done() {
			missing = append(missing, strings.TrimSpace(i.Reference+" "+i.Platform)+": "+i.Reason)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", scan.ErrNoResult, printable(strings.Join(missing, "; ")))
}

// showCounts is how many findings there are of each severity, the worst first.
func showCounts(counts map[scan.Severity]int) string {
	var texts []string
	for _, s := range scan.Severities() {
		if n := counts[s]; n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}
