package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ecrkit/ecrkit/internal/junit"
	"github.com/ecrkit/ecrkit/internal/markdown"
	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/scan"
)

// Write writes the report in a format. The same report is always written as the same bytes.
func (r Report) Write(w io.Writer, format scan.Format, o scan.WriteOptions) error {
	switch format {
	case scan.FormatTable:
		_, err := io.WriteString(w, r.text(o.Columns))
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
	return errors.New("format " + nearest.NotOneOf(string(format), scan.Formats()))
}

// text returns a block for the registry and each repository with a failed control, and a line with the totals, for a
// terminal of so many columns; 0 means none. Commands are not wrapped, so that they can be copied.
func (r Report) text(columns int) string {
	wrap := func(text string, indent int) []string {
		if text = markdown.OneLine(text); columns == 0 {
			return []string{text}
		}
		return safetext.Wrap(text, max(columns-indent, 20))
	}
	var out strings.Builder
	for _, s := range r.subjects() {
		if len(s.findings) == 0 {
			continue
		}
		fmt.Fprintf(&out, "%s\n", s.place)
		for _, f := range s.findings {
			for i, line := range wrap(f.Text, textIndent) {
				if i == 0 {
					fmt.Fprintf(&out, "  %-8s  %-13s  %s\n", f.Severity, f.ID, line)
				} else {
					fmt.Fprintf(&out, "%*s%s\n", textIndent, "", line)
				}
			}
			fmt.Fprintf(&out, "  %-8s  %-13s  $ %s\n", "", "", markdown.OneLine(f.Command))
		}
		out.WriteString("\n")
	}
	for _, text := range r.NotChecked {
		out.WriteString(strings.Join(wrap(text, 0), "\n") + "\n")
	}
	out.WriteString(strings.Join(wrap(r.sentence(), 0), "\n") + "\n")
	return out.String()
}

// textIndent is where the text of a finding begins.
const textIndent = 27

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

// suites returns a suite for the registry and each repository, with a case for each control.
func (r Report) suites() []junit.Suite {
	var suites []junit.Suite
	for _, checked := range r.subjects() {
		s := junit.Suite{Name: checked.place, Timestamp: junit.Time(r.At)}
		for _, c := range r.controls() {
			if c.Registry != checked.registry {
				continue
			}
			test := junit.Case{Class: checked.place, Name: c.ID + " " + c.Title}
			if slices.Contains(r.Skipped, c.ID) {
				test.Skipped = &junit.Message{Message: "skipped"}
			}
			for _, f := range checked.findings {
				switch {
				case f.ID != c.ID:
				case test.Failure == nil:
					test.Failure = &junit.Message{Type: string(f.Severity), Message: markdown.OneLine(f.Text), Text: f.Command}
				default: // a control of the registry can fail for several rules
					test.Failure.Message += "; " + markdown.OneLine(f.Text)
					test.Failure.Text += "\n" + f.Command
				}
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
	for _, text := range r.NotChecked {
		suites = append(suites, junit.Suite{Name: "not checked", Timestamp: junit.Time(r.At), Cases: []junit.Case{
			{Class: r.Host, Name: "replicas", Skipped: &junit.Message{Message: markdown.OneLine(text)}},
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
	for _, text := range r.NotChecked {
		fmt.Fprintf(&out, "- %s\n", markdown.Plain(text))
	}
	if r.Summary.Findings == 0 {
		return out.String()
	}
	out.WriteString("\n| Repository | Severity | Control | Finding | Fix |\n|---|---|---|---|---|\n")
	left := r.Summary.Findings
	for _, s := range r.subjects() {
		for _, f := range s.findings {
			line := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", markdown.Code(s.name), f.Severity,
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
