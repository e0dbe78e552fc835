package scan

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

// findings is the card of the table of findings.
func (r htmlReport) findings() g.Node {
	if len(r.Rows) == 0 {
		return h.Section(h.Class("card"), h.Aria("labelledby", "findings"), htmlpage.Lines(
			h.Div(h.Class("tools"), h.H2(h.ID("findings"), g.Text("Findings"))),
			h.P(h.Class("empty"), g.Text("The scan lists no findings."))))
	}
	tools := []g.Node{h.H2(h.ID("findings"), g.Text("Findings")), htmlpage.Search("findings", "CVE, package, text", "Filter the findings by text")}
	if r.Outcome != "" {
		tools = append(tools, htmlpage.Select("findings", "decision", "Filter by the decision of the gate", htmlpage.Choice{Text: "Gate: all"},
			htmlpage.Choice{Value: "blocks", Text: "Blocks"}, htmlpage.Choice{Value: "allowed", Text: "Allowed"},
			htmlpage.Choice{Value: "ignored", Text: "Ignored"}, htmlpage.Choice{Value: "passes", Text: "Passes"}))
	}
	tools = append(tools, htmlpage.Select("findings", "signals", "Filter by signal", htmlpage.Choice{Text: "Any signal"},
		htmlpage.Choice{Value: "fix", Text: "Has a fix"}, htmlpage.Choice{Value: "exploit", Text: "Has an exploit"}, htmlpage.Choice{Value: "use", Text: "In use"}))
	if r.Several {
		images := []htmlpage.Choice{{Text: "All images"}}
		for _, i := range r.Pictures {
			images = append(images, htmlpage.Choice{Value: i.Key, Text: i.Short})
		}
		tools = append(tools, htmlpage.Select("findings", "image", "Filter by image", images...))
	}
	rows := g.Map(r.Rows, func(row htmlRow) g.Node { return row.cells(r.Several, r.Outcome != "") })
	return h.Section(h.Class("card"), h.Aria("labelledby", "findings"), htmlpage.Lines(
		h.Div(h.Class("tools"), htmlpage.Lines(append(tools, htmlpage.Shown("findings"))...)),
		htmlpage.Table("findings", "No findings match.", r.columns(), rows)))
}

func (r htmlReport) columns() []htmlpage.Column {
	columns := []htmlpage.Column{{Name: "Severity", Number: true, Descending: true, Sorted: "descending"}, {Name: "Vulnerability", Class: "wide-column"}}
	if r.Several {
		columns = append(columns, htmlpage.Column{Name: "Images", Class: "name-column"})
	}
	columns = append(columns, htmlpage.Column{Name: "Package"}, htmlpage.Column{Name: "Fix"},
		htmlpage.Column{Name: "CVSS", Class: "number", Number: true, Descending: true}, htmlpage.Column{Name: "Signals", Number: true, Descending: true})
	if r.Outcome != "" {
		columns = append(columns, htmlpage.Column{Name: "Gate"})
	}
	return columns
}

// cells is the row of the table.
func (r htmlRow) cells(images, gate bool) g.Node {
	cells := g.Group{r.severityCell(), r.idCell()}
	if images {
		cells = append(cells, h.Td(h.Data("label", "Images"), h.Span(h.Class("tags"), g.Map(r.Images, func(i htmlImage) g.Node {
			return htmlpage.Tag(htmlpage.TonePlain, i.Short)
		}))))
	}
	cells = append(cells, r.packageCell(),
		h.Td(h.Data("label", "Fix"), h.Class("code"), orDash(r.fixes())),
		h.Td(h.Data("label", "CVSS"), h.Class("number"), h.Data("sort", fmt.Sprint(r.score())), orDash(r.showScore())), // what has no score is last
		r.signalsCell())
	if gate {
		cells = append(cells, r.gateCell())
	}
	return h.Tr(h.Data("severity", string(r.Severity)), h.Data("decision", string(r.Decision)), h.Data("signals", r.signals()), h.Data("image", r.keys()),
		htmlpage.Lines(cells...))
}

func orDash(text string) g.Node {
	if text == "" {
		return h.Span(h.Class("quiet"), g.Text("–"))
	}
	return g.Text(text)
}

func (r htmlRow) severityCell() g.Node {
	return h.Td(h.Data("sort", fmt.Sprint(r.Severity.rank())),
		h.Span(h.Class("severity "+strings.ToLower(string(r.Severity))), g.Text(string(r.Severity))),
		g.If(r.JudgedAs != "", h.Span(h.Class("sub"), g.Text("judged as "+string(r.JudgedAs)))))
}

func (r htmlRow) idCell() g.Node {
	id := g.Text(cmp.Or(oneLine(r.ID), "-"))
	// Other addresses than those of web pages are not linked to: they could be scripts.
	if address := webAddress(r.URI); address != "" {
		id = h.A(h.Href(address), h.Rel("noopener noreferrer"), id)
	}
	return h.Td(h.Data("sort", oneLine(r.ID)), h.Span(h.Class("name"), id), g.Iff(r.more(), r.details))
}

// details is what is shown of a finding when somebody opens it.
func (r htmlRow) details() g.Node {
	facts := g.Group{fact("Gate", oneLine(r.Because)), fact("Severity", r.judgedText()), classedFact("CVSS", "code", oneLine(r.Vector))}
	for _, p := range r.Packages {
		if p.Path == "" && p.Layer == "" {
			continue
		}
		var where g.Group
		if p.Path != "" {
			where = append(where, g.Text(oneLine(p.Path)+" "))
		}
		if p.Layer != "" {
			where = append(where, g.Text(cutDigest(digest.Digest(p.Layer))+" "), htmlpage.Copy(oneLine(p.Layer)))
		}
		facts = append(facts, g.Group{h.Dt(g.Text(oneLine(p.Name))), h.Dd(h.Class("code"), where)})
	}
	facts = append(facts, timeFact("First seen", r.FirstObserved), timeFact("Last in use", r.LastInUse), fact("State", oneLine(r.State)))
	headline, description := r.headline(), oneLine(r.Description)
	return h.Details(htmlpage.Lines(
		h.Summary(g.Text(cmp.Or(headline, "More"))),
		g.If(headline != description, h.P(g.Text(description))),
		h.Dl(h.Class("facts"), htmlpage.Lines(facts...))))
}

func (r htmlRow) packageCell() g.Node {
	managers, versions := r.managers(), r.versions()
	return h.Td(h.Data("label", "Package"), g.Text(r.names()),
		g.If(managers != "", g.Group{g.Text(" "), h.Span(h.Class("quiet"), g.Text("("+managers+")"))}),
		g.If(versions != "", h.Span(h.Class("sub code"), g.Text(versions))))
}

func (r htmlRow) signalsCell() g.Node {
	return h.Td(h.Data("label", "Signals"), g.If(r.signals() == "", h.Class("blank")), h.Data("sort", fmt.Sprint(r.urgency())), h.Span(h.Class("tags"),
		g.If(r.anyExploit(), htmlpage.Tag(htmlpage.ToneBad, "exploit")),
		g.If(r.anyInUse(), htmlpage.Tag(htmlpage.ToneWarning, "in use")),
		g.If(r.hasFix(), htmlpage.Tag(htmlpage.ToneGood, "fix"))))
}

func (r htmlRow) gateCell() g.Node {
	if r.Decision == "" {
		return h.Td(h.Data("label", "Gate"), h.Class("blank"), orDash(""))
	}
	return h.Td(h.Data("label", "Gate"), htmlpage.Tag(r.tone(), string(r.Decision)))
}

// ignores is the card of the entries of the policy that ignore findings, nil without any.
func (r htmlReport) ignores() g.Node {
	if len(r.Ignores) == 0 {
		return nil
	}
	columns := []htmlpage.Column{{Name: "Vulnerability"}, {Name: "Package"}, {Name: "Reason", Class: "wide-column", Fixed: true}, {Name: "Expires"},
		{Name: "Findings", Class: "number", Number: true}, {Name: "State"}}
	return h.Section(h.Class("card"), h.Aria("labelledby", "ignores"), htmlpage.Lines(
		h.Div(h.Class("tools"), h.H2(h.ID("ignores"), g.Text("Ignored by the policy"))),
		htmlpage.Table("ignores", "", columns, g.Map(r.Ignores, IgnoreUse.row))))
}

func (i IgnoreUse) row() g.Node {
	tone := htmlpage.ToneWarning
	if i.State == IgnoreUsed {
		tone = htmlpage.TonePlain
	}
	return h.Tr(
		h.Td(h.Span(h.Class("name"), g.Text(oneLine(i.ID)))),
		h.Td(h.Data("label", "Package"), g.Text(cmp.Or(oneLine(i.Package), "any"))),
		h.Td(h.Data("label", "Reason"), g.Text(oneLine(i.Reason))),
		h.Td(h.Data("label", "Expires"), g.Text(cmp.Or(oneLine(i.Expires), "never"))),
		h.Td(h.Data("label", "Findings"), h.Class("number"), g.Text(fmt.Sprint(i.Count))),
		h.Td(h.Data("label", "State"), htmlpage.Tag(tone, string(i.State))))
}
