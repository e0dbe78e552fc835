package audit

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
	"github.com/ecrkit/ecrkit/internal/markdown"
)

//go:embed report.html
var reportHTML string

// htmlReport is what the page shows.
type htmlReport struct {
	Report
	Bars     []htmlpage.Bar
	Controls []htmlControl
	Rows     []htmlRow
}

// htmlControl is a control and in how many repositories it failed.
type htmlControl struct {
	Control
	Failed  int
	Skipped bool
}

// htmlRow is a finding.
type htmlRow struct {
	Finding
	Repository string // or the host of the registry
	Rank       int    // the worst has the highest
}

func (r Report) writeHTML(w io.Writer, version string) error {
	t, err := htmlpage.New(reportHTML, template.FuncMap{
		"line":  markdown.OneLine,
		"lower": func(s Severity) string { return strings.ToLower(string(s)) },
		"join":  strings.Join,
		"title": func(s string) string { return s[:1] + strings.ToLower(s[1:]) },
	})
	if err != nil {
		return err
	}
	page := htmlReport{Report: r}
	failed := map[string]int{}
	for _, s := range r.subjects() {
		for _, f := range s.findings {
			failed[f.ID]++
			page.Rows = append(page.Rows, htmlRow{f, s.name, len(Severities()) - f.Severity.rank()})
		}
	}
	for _, s := range Severities() {
		page.Bars = append(page.Bars, htmlpage.Bar{Label: string(s), Tone: htmlpage.Tone(strings.ToLower(string(s))), Count: r.Summary.BySeverity[s]})
	}
	skipped := map[string]bool{}
	for _, id := range r.Skipped {
		skipped[id] = true
	}
	for _, c := range r.controls() {
		page.Controls = append(page.Controls, htmlControl{c, failed[c.ID], skipped[c.ID]})
	}
	p := htmlpage.Page{Kind: "Repository audit", Title: r.Registry, Subtitle: r.sentence(), At: r.At, Version: version, Data: page}
	switch {
	case len(r.Failed) > 0:
		p.Result, p.Tone = "Incomplete", htmlpage.ToneWarning
	case r.Worst(High) > 0:
		p.Result, p.Tone = "Needs attention", htmlpage.ToneBad
	case r.Summary.Findings == 0:
		p.Result, p.Tone = "No findings", htmlpage.ToneGood
	default:
		p.Tone = htmlpage.TonePlain
	}
	return t.Write(w, p)
}
