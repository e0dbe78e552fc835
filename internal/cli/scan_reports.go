package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/version"
	"github.com/ecrkit/ecrkit/scan"
)

const scanReportsHelp = `--format sets the format of stdout: table, json, sarif, junit, markdown, html or code-quality (for
GitLab); --output json is --format json. --report also writes a report to a file, whose extension
sets the format: .json, .sarif, .xml (JUnit), .md, .html, .txt; FORMAT=FILE names it. It can be
repeated. Reports are written whatever the outcome.`

// scanReportFlags are the flags of the commands that report findings.
type scanReportFlags struct {
	format string
	files  []string
	flag   string // that named files, for messages; "" is --report
}

func (f *scanReportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "", "`format` of what is printed: "+strings.Join(formatNames(), ", ")+" (default table)")
	flags.StringArrayVar(&f.files, "report", nil, "also write a report to `[FORMAT=]FILE`; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
}

// scanReports are the reports of a verdict that are asked for.
type scanReports struct {
	stdout  scan.Format
	files   []scanReportFile
	version string
}

type scanReportFile struct {
	format  scan.Format
	path    string
	version string
}

// reports checks the flags.
func (f *scanReportFlags) reports(app *App) (scanReports, error) {
	r := scanReports{stdout: scan.FormatTable, version: version.String()}
	if app.Output == outputJSON {
		r.stdout = scan.FormatJSON
	}
	if f.format != "" {
		format, err := scan.ParseFormat(f.format)
		switch {
		case err != nil:
			return r, usagef("--format: %w", err)
		case app.Output == outputJSON && format != scan.FormatJSON:
			return r, usagef("--output json and --format %s exclude each other", format)
		}
		r.stdout = format
	}
	for _, s := range f.files {
		file := scanReportFile{path: s, version: r.version}
		var err error
		if before, after, ok := strings.Cut(s, "="); ok {
			if file.format, err = scan.ParseFormat(before); err == nil {
				file.path = after
			}
		}
		if file.format == "" {
			file.format, err = scan.FormatOf(s)
		}
		switch {
		case err != nil:
			return r, usagef("%s: %w", cmp.Or(f.flag, "--report"), err)
		case file.path == "":
			return r, usagef("%s %s: the file is missing", cmp.Or(f.flag, "--report"), s)
		}
		r.files = append(r.files, file)
	}
	return r, nil
}

// report is what can be written in all formats.
type report interface {
	Write(w io.Writer, format scan.Format, o scan.WriteOptions) error
}

// write writes the file. It is rendered as a whole before, so that what was there stays
// if that fails.
func (f scanReportFile) write(app *App, v report) error {
	var out bytes.Buffer
	err := v.Write(&out, f.format, scan.WriteOptions{Version: f.version})
	if err == nil {
		err = app.writeOutput(f.path, out.Bytes())
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", f.path, err)
	}
	return nil
}

// writeReports writes a report to stdout and to the files.
func (app *App) writeReports(v report, reports scanReports) error {
	var failures []error
	for _, r := range reports.files {
		if err := r.write(app, v); err != nil {
			failures = append(failures, err)
		}
	}
	if reports.stdout == scan.FormatJSON && app.Output == outputJSON {
		var out bytes.Buffer
		err := v.Write(&out, reports.stdout, scan.WriteOptions{Version: reports.version})
		return errors.Join(append(failures, err, app.printJSON(bytes.TrimSpace(out.Bytes())))...)
	}
	if err := v.Write(app.Stdout, reports.stdout, scan.WriteOptions{Columns: app.columns(), Version: reports.version}); err != nil {
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}
