package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanReportHelp = `Report what scans found in images, without judging it.

  ecrkit scan report --findings findings.json
  ecrkit scan report --findings findings.json --report findings.html --report findings.sarif
  aws ecr describe-image-scan-findings ... | ecrkit scan report --findings - --format markdown

` + scanFindingsHelp + `

` + scanReportsHelp + `

The JSON is that of ecrkit scan gate without outcome, rules and decisions.`

func newScanReportCommand(app *App) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "report --findings FILE",
		Short: "Report findings as a table, JSON, SARIF, JUnit, Markdown or HTML",
		Long:  scanReportHelp,
		Args:  arguments(0),
		RunE: func(*cobra.Command, []string) error {
			reports, err := f.reports.reports(app)
			if err != nil {
				return err
			}
			report, err := app.readFindings(f.findings)
			if err != nil {
				return err
			}
			return app.writeVerdict(scan.Show(report, app.Now()), reports)
		},
	}
	cmd.Flags().StringArrayVar(&f.findings, "findings", nil, "findings in `FILE`; repeatable")
	f.reports.add(cmd)
	return cmd
}
