package audit

import (
	"fmt"
	"io"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
	"github.com/ecrkit/ecrkit/internal/markdown"
)

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
	p := htmlpage.Page{Kind: "Repository audit", Title: r.Registry, Subtitle: r.sentence(), At: r.At, Version: version, Content: page.content()}
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
	return p.Write(w)
}

// content is what the frame shows.
func (r htmlReport) content() g.Node {
	return htmlpage.Lines(
		htmlpage.Notice("failed", "Failed", lines(r.Report.Failed)),
		htmlpage.Notice("not-checked", "Not checked", lines(r.NotChecked)),
		h.Div(h.Class("pair"), htmlpage.Lines(
			htmlpage.Card("", "severities", "Severity", htmlpage.Chart(r.Bars), htmlpage.Tiles("findings", "severity", r.Bars)),
			htmlpage.Card("", "controls", "Controls", h.Ul(h.Class("lines"), htmlpage.Lines(g.Map(r.Controls, htmlControl.line)...))),
		)),
		r.findings(),
	)
}

func lines(texts []string) []string {
	all := make([]string, len(texts))
	for n, text := range texts {
		all[n] = markdown.OneLine(text)
	}
	return all
}

func (c htmlControl) line() g.Node {
	tag := htmlpage.Tag(htmlpage.ToneGood, "ok")
	switch {
	case c.Skipped:
		tag = htmlpage.Tag(htmlpage.TonePlain, "skipped")
	case c.Failed > 0:
		tag = htmlpage.Tag(htmlpage.ToneBad, fmt.Sprint(c.Failed, " failed"))
	}
	return h.Li(
		h.Span(h.Strong(h.A(h.Href(c.URI), h.Rel("noopener noreferrer"), g.Text(c.ID))), g.Text(" "), h.Span(h.Class("sub"), g.Text(c.Title))),
		g.Text("\n"), h.Span(h.Class("value"), tag))
}

// findings is the card of the table of findings.
func (r htmlReport) findings() g.Node {
	heading := h.H2(h.ID("findings"), g.Text("Findings"))
	if len(r.Rows) == 0 {
		return h.Section(h.Class("card"), h.Aria("labelledby", "findings"), htmlpage.Lines(
			h.Div(h.Class("tools"), heading), h.P(h.Class("empty"), g.Text("No control failed."))))
	}
	controls := []htmlpage.Choice{{Text: "All controls"}}
	for _, c := range r.Controls {
		if c.Failed > 0 {
			controls = append(controls, htmlpage.Choice{Value: c.ID, Text: c.ID})
		}
	}
	columns := []htmlpage.Column{{Name: "Severity", Number: true, Descending: true}, {Name: "Repository", Class: "name-column", Sorted: "ascending"},
		{Name: "Control"}, {Name: "Finding", Fixed: true}, {Name: "Fix", Class: "wide-column", Fixed: true}}
	return h.Section(h.Class("card"), h.Aria("labelledby", "findings"), htmlpage.Lines(
		h.Div(h.Class("tools"), htmlpage.Lines(heading,
			htmlpage.Search("findings", "Repository, text", "Filter the findings by text"),
			htmlpage.Select("findings", "control", "Filter by control", controls...),
			htmlpage.Shown("findings"))),
		htmlpage.Table("findings", "No findings match.", columns, g.Map(r.Rows, htmlRow.cells))))
}

// cells is the row of the table.
func (r htmlRow) cells() g.Node {
	command := markdown.OneLine(r.Command)
	var replace g.Node
	if len(r.Placeholders) > 0 {
		replace = h.Span(h.Class("sub"), g.Text("Replace "+strings.Join(r.Placeholders, " and ")+" first."))
	}
	return h.Tr(h.Data("severity", string(r.Severity)), h.Data("control", r.ID), htmlpage.Lines(
		h.Td(h.Data("sort", fmt.Sprint(r.Rank)), h.Span(h.Class("severity "+strings.ToLower(string(r.Severity))), g.Text(string(r.Severity)))),
		h.Td(h.Strong(g.Text(r.Repository))),
		h.Td(h.Data("label", "Control"), h.Span(h.Class("nowrap"), g.Text(r.ID))),
		h.Td(h.Data("label", "Finding"), g.Text(markdown.OneLine(r.Text))),
		h.Td(h.Data("label", "Fix"), h.Span(h.Class("code"), g.Text(command)), g.Text(" "), htmlpage.Copy(command), replace)))
}
