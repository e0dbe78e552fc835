package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanReportHelp = `Report what scans found in images, without judging it.

  ecrkit scan report HOST/app:1.2
  ecrkit scan report --findings findings.json --report findings.html --report findings.sarif
  aws ecr describe-image-scan-findings ... | ecrkit scan report --findings - --format markdown

` + scanFindingsHelp + `

` + scanReportsHelp + `

The JSON is that of ecrkit scan gate without outcome, rules and decisions. Exit code 1 if
the scan of a REF is not complete or failed; --timeout waits for it.`

func newScanReportCommand(app *App) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "report REF...",
		Short: "Report findings as a table, JSON, SARIF, JUnit, Markdown or HTML",
		Long:  scanReportHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			reports, err := f.reports.reports(app)
			if err != nil {
				return err
			}
			report, err := app.findings(cmd.Context(), args, f)
			if err != nil {
				return err
			}
			v := scan.ListFindings(report, app.Now())
			if err := app.writeVerdict(v, reports); err != nil || len(args) == 0 {
				return err
			}
			return notScanned(v)
		},
	}
	cmd.Flags().StringArrayVar(&f.findings, "findings", nil, "read findings from `FILE`; may be repeated")
	timeVar(cmd.Flags(), &f.timeout, "timeout", 0, "how long to wait for the scan of REF")
	f.reports.add(cmd)
	return cmd
}
