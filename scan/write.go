package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/ecrkit/ecrkit/internal/markdown"
	"github.com/ecrkit/ecrkit/internal/nearest"
)

// Format is the format of a report.
type Format string

// The formats.
const (
	FormatTable    Format = "table"
	FormatJSON     Format = "json"     // a Verdict
	FormatSARIF    Format = "sarif"    // 2.1.0, as code scanning services take it
	FormatJUnit    Format = "junit"    // XML, a test case for each finding
	FormatMarkdown Format = "markdown" // for a comment on a pull request
	FormatHTML     Format = "html"     // one page that needs nothing else

	FormatCodeQuality Format = "code-quality" // JSON, as GitLab shows it in a merge request
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{FormatTable, FormatJSON, FormatSARIF, FormatJUnit, FormatMarkdown, FormatHTML, FormatCodeQuality}
}

// ParseFormat reads the name of a format.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats() {
		if s == string(f) {
			return f, nil
		}
	}
	return "", errors.New("format " + nearest.NotOneOf(s, Formats()))
}

// FormatOf returns the format for the name of a file: .json, .sarif, .xml, .md, .html
// or .txt.
func FormatOf(file string) (Format, error) {
	lower := strings.ToLower(file)
	if strings.HasSuffix(lower, ".sarif.json") {
		return FormatSARIF, nil
	}
	switch filepath.Ext(lower) {
	case ".json":
		return FormatJSON, nil
	case ".sarif":
		return FormatSARIF, nil
	case ".xml":
		return FormatJUnit, nil
	case ".md", ".markdown":
		return FormatMarkdown, nil
	case ".html", ".htm":
		return FormatHTML, nil
	case ".txt":
		return FormatTable, nil
	}
	return "", fmt.Errorf("the name %q has no known extension; write FORMAT=FILE with one of %s", file, join(Formats()))
}

// WriteOptions are options of a report.
type WriteOptions struct {
	// Columns is the width of the terminal for a table; 0 cuts nothing.
	Columns int
	// Version is that of the program, for the reports that name it.
	Version string
}

// Write writes the report of the verdict. The same verdict is always written as the same bytes.
func (v Verdict) Write(w io.Writer, format Format, o WriteOptions) error {
	switch format {
	case FormatTable:
		return v.writeTable(w, o.Columns)
	case FormatJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case FormatSARIF:
		return v.writeSARIF(w, o.Version)
	case FormatJUnit:
		return v.writeJUnit(w)
	case FormatMarkdown:
		return v.writeMarkdown(w)
	case FormatHTML:
		return v.writeHTML(w, o.Version)
	case FormatCodeQuality:
		return v.writeCodeQuality(w)
	}
	return errors.New("format " + nearest.NotOneOf(string(format), Formats()))
}

// oneLine makes one line of a text that a scan brings.
func oneLine(s string) string { return markdown.OneLine(s) }

// cut shortens s to n characters.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:max(n-1, 0)]) + "…"
	}
	return s
}

// headline is what the finding is about in a line.
func (f Finding) headline() string {
	// Amazon Inspector's title is the ID and the packages, which are shown anyway.
	if f.Title == "" || f.Description != "" && strings.HasPrefix(f.Title, f.ID+" - ") {
		return oneLine(f.Description)
	}
	return oneLine(f.Title)
}

// names are the packages: "openssl", "openssl, libssl3".
func (f Finding) names() string {
	return each(f.Packages, func(p Package) string { return p.Name })
}

func (f Finding) versions() string {
	return each(f.Packages, func(p Package) string { return p.Version })
}

// fixes are the fixed versions, or what is known of them.
func (f Finding) fixes() string {
	if fixed := each(f.Packages, func(p Package) string { return p.Fixed }); fixed != "" {
		return fixed
	}
	switch f.Fix {
	case No:
		return "no fix"
	case Yes:
		return "a fix"
	case Partial:
		return "some"
	}
	return ""
}

// each joins what the packages have, each text once.
func each(packages []Package, of func(Package) string) string {
	var texts []string
	seen := map[string]bool{"": true}
	for _, p := range packages {
		if text := oneLine(of(p)); !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	const shown = 3
	if more := len(texts) - shown; more > 0 {
		texts = append(texts[:shown], fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, ", ")
}

// showScore is the score with one digit, "" if it is not known.
func (f Finding) showScore() string {
	if f.Score == nil {
		return ""
	}
	return fmt.Sprintf("%.1f", *f.Score)
}

// notes returns what makes the finding more urgent, and why it counts if it is not its severity.
func (j JudgedFinding) notes() []string {
	var notes []string
	if j.Exploit == Yes {
		notes = append(notes, "exploit")
	}
	if j.isInUse() {
		notes = append(notes, "in use")
	}
	if j.JudgedAs != "" {
		notes = append(notes, "judged as "+string(j.JudgedAs))
	}
	return notes
}

// hasFix reports whether some of the packages have a fix.
func (f Finding) hasFix() bool { return f.Fix == Yes || f.Fix == Partial }

// isInUse reports whether a cluster runs the image.
func (j JudgedFinding) isInUse() bool { return j.Finding.InUse != nil && *j.Finding.InUse > 0 }

// judgedText reports why a finding of severity UNDEFINED counts, "" for others.
func (j JudgedFinding) judgedText() string {
	if j.JudgedAs == "" {
		return ""
	}
	return fmt.Sprintf("judged as %s (%s)", j.JudgedAs, j.JudgedBecause)
}
