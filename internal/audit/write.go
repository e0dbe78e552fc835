package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ecrkit/ecrkit/internal/junit"
	"github.com/ecrkit/ecrkit/internal/markdown"
	"github.com/ecrkit/ecrkit/scan"
)

// Write writes the report in a format. The same report is always written as the same bytes.
func (r Report) Write(w io.Writer, format scan.Format, o scan.WriteOptions) error {
	switch format {
	case scan.FormatTable:
		_, err := io.WriteString(w, r.text())
		return err
	case scan.FormatJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false) // so that commands can be copied
		return e.Encode(r)
	case scan.FormatSARIF:
		return r.writeSARIF(w, o.Version)
	case scan.FormatJUnit:
		return junit.Write(w, "ecrkit repo audit", r.suites())
	case scan.FormatMarkdown:
		_, err := io.WriteString(w, r.markdown())
		return err
	case scan.FormatHTML:
		return r.writeHTML(w, o.Version)
	case scan.FormatCodeQuality:
		return r.writeCodeQuality(w)
	}
	return fmt.Errorf("format %q is none of %v", format, scan.Formats())
}

// text returns a block for each repository with a failed control, and a line with the totals.
func (r Report) text() string {
	var out strings.Builder
	for _, repository := range r.Repositories {
		if len(repository.Findings) == 0 {
			continue
		}
		fmt.Fprintf(&out, "%s/%s\n", r.Host, repository.Name)
		for _, f := range repository.Findings {
			fmt.Fprintf(&out, "  %-8s  %-13s  %s\n", f.Severity, f.ID, markdown.OneLine(f.Text))
			fmt.Fprintf(&out, "  %-8s  %-13s  $ %s\n", "", "", markdown.OneLine(f.Command))
		}
		out.WriteString("\n")
	}
	out.WriteString(r.sentence() + "\n")
	return out.String()
}

// sentence returns the totals.
func (r Report) sentence() string {
	s := r.Summary
	text := fmt.Sprintf("%s, %d without findings", english.Plural(s.Repositories, "repository", "repositories"), s.Clean)
	if s.Findings > 0 {
		var counts []string
		for _, severity := range Severities() {
			if n := s.BySeverity[severity]; n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, strings.ToLower(string(severity))))
			}
		}
		text += fmt.Sprintf("; %s: %s", english.Plural(s.Findings, "finding", ""), strings.Join(counts, ", "))
	}
	if n := len(r.Failed); n > 0 {
		text += fmt.Sprintf("; %d could not be read", n)
	}
	return text
}

// suites returns a suite for each repository, with a case for each control.
func (r Report) suites() []junit.Suite {
	var suites []junit.Suite
	for _, repository := range r.Repositories {
		name := r.Host + "/" + repository.Name
		s := junit.Suite{Name: name, Timestamp: junit.Time(r.At)}
		for _, c := range Controls() {
			test := junit.Case{Class: name, Name: c.ID + " " + c.Title}
			if slices.Contains(r.Skipped, c.ID) {
				test.Skipped = &junit.Message{Message: "skipped"}
			}
			if i := slices.IndexFunc(repository.Findings, func(f Finding) bool { return f.ID == c.ID }); i >= 0 {
				f := repository.Findings[i]
				test.Failure = &junit.Message{Type: string(f.Severity), Message: markdown.OneLine(f.Text), Text: f.Command}
			}
			s.Cases = append(s.Cases, test)
		}
		suites = append(suites, s)
	}
	for _, failure := range r.Failed {
		suites = append(suites, junit.Suite{Name: "not read", Timestamp: junit.Time(r.At), Cases: []junit.Case{
			{Class: r.Host, Name: "description", Error: &junit.Message{Message: markdown.OneLine(failure)}},
		}})
	}
	return suites
}

// A comment on GitHub has at most 65,536 characters.
const maxMarkdown = 60_000

// markdown returns a report for a comment on a pull request or an issue.
func (r Report) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### Repository audit of %s\n\n%s.\n", markdown.Code(r.Registry), markdown.Plain(r.sentence()))
	for _, failure := range r.Failed {
		fmt.Fprintf(&out, "- ⚠️ %s\n", markdown.Plain(failure))
	}
	if r.Summary.Findings == 0 {
		return out.String()
	}
	out.WriteString("\n| Repository | Severity | Control | Finding | Fix |\n|---|---|---|---|---|\n")
	left := r.Summary.Findings
	for _, repository := range r.Repositories {
		for _, f := range repository.Findings {
			line := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", markdown.Code(repository.Name), f.Severity,
				markdown.Plain(f.ID), markdown.Plain(f.Text), markdown.Code(f.Command))
			if out.Len()+len(line) > maxMarkdown {
				fmt.Fprintf(&out, "\n%s left out, because a comment is limited in size; the other formats have all of them.\n", english.Plural(left, "finding is", "findings are"))
				return out.String()
			}
			out.WriteString(line)
			left--
		}
	}
	return out.String()
}
