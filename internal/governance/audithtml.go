package governance

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
	"github.com/ecrkit/ecrkit/internal/markdown"
)

//go:embed audit.html
var auditHTML string

// auditPage is what the page shows.
type auditPage struct {
	AuditReport
	Bars     []htmlpage.Bar
	Controls []auditControl
	Rows     []auditRow
}

// auditControl is a control and how many repositories miss it.
type auditControl struct {
	Control
	Missed  int
	Skipped bool
}

// auditRow is a finding.
type auditRow struct {
	AuditFinding
	Repository string
	Rank       int // the worst has the highest
}

func (r AuditReport) writeHTML(w io.Writer, version string) error {
	t, err := htmlpage.New(auditHTML, template.FuncMap{
		"line":  markdown.OneLine,
		"lower": func(s Severity) string { return strings.ToLower(string(s)) },
		"title": func(s string) string { return s[:1] + strings.ToLower(s[1:]) },
	})
	if err != nil {
		return err
	}
	page := auditPage{AuditReport: r}
	missed := map[string]int{}
	for _, repository := range r.Repositories {
		for _, f := range repository.Findings {
			missed[f.ID]++
			page.Rows = append(page.Rows, auditRow{f, repository.Name, len(Severities()) - f.Severity.rank()})
		}
	}
	for _, s := range Severities() {
		page.Bars = append(page.Bars, htmlpage.Bar{Label: string(s), Tone: htmlpage.Tone(strings.ToLower(string(s))), Count: r.Summary.BySeverity[s]})
	}
	skipped := map[string]bool{}
	for _, id := range r.Skipped {
		skipped[id] = true
	}
	for _, c := range Controls() {
		page.Controls = append(page.Controls, auditControl{c, missed[c.ID], skipped[c.ID]})
	}
	p := htmlpage.Page{Kind: "Repository audit", Title: r.Registry, Subtitle: r.sentence(), At: r.At, Version: version, Data: page}
	switch {
	case len(r.Failed) > 0:
		p.Result, p.Tone = "Not complete", htmlpage.ToneWarning
	case r.Worst(SeverityHigh) > 0:
		p.Result, p.Tone = "Needs attention", htmlpage.ToneBad
	case r.Summary.Findings == 0:
		p.Result, p.Tone = "Clean", htmlpage.ToneGood
	default:
		p.Tone = htmlpage.TonePlain
	}
	return t.Write(w, p)
}
