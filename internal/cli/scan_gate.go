package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanGateHelp = `Gate images on the findings of their scans.

  ecrkit scan gate HOST/app:1.2 --policy scan-policy.yaml
  ecrkit scan gate --findings findings.json --policy scan-policy.yaml
  ecrkit scan gate --findings amd64.json --findings arm64.json --policy scan-policy.yaml
  aws ecr describe-image-scan-findings ... | ecrkit scan gate --findings - --policy p.yaml \
    --report findings.sarif --report findings.html --format markdown

A policy says which findings block (see docs/scanning.md):

  version: 1
  block:
    - severity: CRITICAL        # and worse
    - severity: HIGH
      fix_available: true
  ignore:
    - id: CVE-2024-1234
      reason: not reachable, the module is not loaded
      expires: 2026-12-31

` + scanFindingsHelp + `

All images have to pass. A scan that failed, is not complete or does not exist is no
result: it never passes, unless the policy accepts its status by name.

` + scanReportsHelp + `

Prints the findings and what becomes of each, or with --output json one object:
evaluatedAt, outcome (passed, failed, no-result), warnings, ignores (id, reason,
expires, state, count), images: reference, repository, tags, digest, platform, scanType,
status, completedAt, outcome, reason, counts, rules (rule, maximum, count, found,
failed), findings (id, severity, packages, score, vector, fixAvailable, exploitAvailable,
inUseCount, decision, because, judgedAs, judgedBecause, ...).

ecrkit waits for a scan of REF that is not complete (--timeout), and starts none. Exit codes: 0
the gate passed; 5 it failed; 1 there is no result.`

// scanFlags are the flags of the commands that read findings.
type scanFlags struct {
	findings []string
	policy   string
	timeout  time.Duration
	reports  scanReportFlags
}

func newScanGateCommand(app *App) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "gate REF... --policy FILE",
		Short: "Gate images on findings",
		Long:  scanGateHelp,
		RunE:  func(cmd *cobra.Command, args []string) error { return app.scanGate(cmd.Context(), args, f) },
	}
	cmd.Flags().StringArrayVar(&f.findings, "findings", nil, "read findings from `FILE`; may be repeated")
	cmd.Flags().StringVar(&f.policy, "policy", "", "policy in `FILE`")
	timeVar(cmd.Flags(), &f.timeout, "timeout", defaultScanTimeout, "how long to wait for the scan of REF; 0 looks once")
	f.reports.add(cmd)
	return cmd
}

func (app *App) scanGate(ctx context.Context, references []string, f scanFlags) error {
	reports, err := f.reports.reports(app)
	if err != nil {
		return err
	}
	policy, err := app.readScanPolicy(f.policy)
	if err != nil {
		return err
	}
	report, err := app.findings(ctx, references, f)
	if err != nil {
		return err
	}
	return app.gate(policy, report, reports)
}

// gate judges, writes the reports and returns the error of the verdict. A report that
// could not be written is an error whatever the verdict.
func (app *App) gate(policy *scan.Policy, report scan.Report, reports scanReports) error {
	v := scan.Gate(policy, report, app.Now())
	return errors.Join(v.Err(), app.writeVerdict(v, reports))
}
