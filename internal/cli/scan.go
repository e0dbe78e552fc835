package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanHelp = `Check the findings of image scans against a policy, and report them.

  ecrkit scan gate HOST/app:1.2 --policy scan-policy.yaml
  ecrkit scan report HOST/app:1.2 --report findings.html
  ecrkit scan start HOST/app:1.2
  aws ecr describe-image-scan-findings --repository-name app --image-id imageTag=1.2 > findings.json
  ecrkit scan gate --findings findings.json --policy scan-policy.yaml

Findings of basic scanning and of enhanced scanning (Amazon Inspector) are the same here.`

func newScanCommand(app *App) *cobra.Command {
	return newGroup("scan", "Report and gate on the findings of image scans", scanHelp,
		newScanStartCommand(app), newScanWaitCommand(app), newScanReportCommand(app), newScanGateCommand(app), newScanPolicyCommand(app))
}

const scanFindingsHelp = `REF is an image in Amazon ECR, or an index, of which each image for a platform counts.
Instead, --findings FILE has what "aws ecr describe-image-scan-findings" prints, "-" is
stdin. Several pages can be in one file or in several, and so can several images: the
images of an index, as Amazon ECR scans no index. A page that is missing is an error.`

// findings returns the findings of images in Amazon ECR, whose scans are waited for, or of
// files.
func (app *App) findings(ctx context.Context, references []string, f scanFlags) (scan.Report, error) {
	switch {
	case len(references) > 0 && len(f.findings) > 0:
		return scan.Report{}, usagef("--findings and REF exclude each other")
	case len(references) > 0:
		return app.scansOf(ctx, references, f.timeout)
	}
	return app.readFindings(f.findings)
}

// readFindings reads the reports of the images in files.
func (app *App) readFindings(files []string) (scan.Report, error) {
	if len(files) == 0 {
		return scan.Report{}, usagef("name an image, HOST/REPOSITORY:TAG, or its findings: --findings FILE, of aws ecr describe-image-scan-findings")
	}
	var pages []scan.Page
	for _, file := range files {
		more, err := app.readPages(file)
		if err != nil {
			err = fmt.Errorf("%s: %w", showFile(file), err)
			if !errors.Is(err, scan.ErrNoResult) { // that is what a gate reports, exit code 1
				err = usageError{err}
			}
			return scan.Report{}, err
		}
		pages = append(pages, more...)
	}
	reports, err := scan.Reports(pages...)
	if errors.Is(err, scan.ErrNoResult) {
		err = fmt.Errorf("%w; save the output without --max-items, --no-paginate and --query", err)
	}
	return scan.Merge(reports...), err
}

func (app *App) readPages(file string) ([]scan.Page, error) {
	if file == "-" {
		return scan.DecodePages(app.stdin())
	}
	f, err := app.openText(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return scan.DecodePages(f)
}

// readScanPolicy reads a policy. One that is wrong is a usage error.
func (app *App) readScanPolicy(file string) (*scan.Policy, error) {
	if file == "" {
		return nil, usageError{missingPolicy{"name the policy: --policy FILE; `ecrkit scan policy new` writes one"}}
	}
	f, err := app.openText(file)
	if err != nil {
		return nil, usageError{err}
	}
	defer f.Close()
	policy, err := scan.ParsePolicy(f)
	if err != nil {
		return nil, app.wrongFile(file, err)
	}
	return policy, nil
}

// writeVerdict writes the verdict to stdout and to the files of reports.
func (app *App) writeVerdict(v scan.Verdict, reports scanReports) error {
	if reports.stdout != scan.FormatTable {
		for _, warning := range v.Warnings {
			app.Messagef("warning: %s", warning)
		}
	}
	return app.writeReports(v, reports)
}

func formatNames() []string {
	var names []string
	for _, f := range scan.Formats() {
		names = append(names, string(f))
	}
	return names
}
