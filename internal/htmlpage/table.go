package htmlpage

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// Column is the head of a column of a table.
type Column struct {
	Name  string
	Class string
	// Fixed columns do not sort the table.
	Fixed bool
	// Number columns are sorted as numbers. Others are sorted as text.
	Number bool
	// Descending columns are sorted with the highest first.
	Descending bool
	// Sorted is by which direction the page is sorted before anybody sorts it: "ascending", "descending" or "".
	Sorted string
}

// Table is a table that is filtered by the controls of the same name. empty is what it says if all rows are filtered out.
func Table(name, empty string, columns []Column, rows []g.Node) g.Node {
	return h.Div(h.Class("scroll"), Lines(
		h.Table(h.Class("cards"), h.Data("table", name), Lines(
			h.THead(h.Tr(g.Map(columns, Column.head))),
			h.TBody(Lines(rows...)),
		)),
		g.If(empty != "", h.P(h.Class("empty"), h.Data("empty-of", name), hidden(), g.Text(empty))),
	))
}

func (c Column) head() g.Node {
	return h.Th(h.Scope("col"), classed(c.Class),
		g.If(c.Number, h.Data("sort", "number")), g.If(c.Descending, h.Data("first", "descending")),
		g.If(c.Sorted != "", h.Aria("sort", c.Sorted)),
		g.If(c.Fixed, g.Text(c.Name)), g.If(!c.Fixed, h.Button(h.Type("button"), g.Text(c.Name))))
}

func classed(class string) g.Node { return g.If(class != "", h.Class(class)) }

// Search is a field that filters the table of the name by text.
func Search(table, placeholder, label string) g.Node {
	return h.Input(h.Type("search"), h.Data("for", table), h.Placeholder(placeholder), h.Aria("label", label), hidden())
}

// Choice is an option of a [Select]: the value that rows have, and what is shown.
type Choice struct{ Value, Text string }

// Select is a list that filters the table of the name by an attribute of its rows.
func Select(table, key, label string, choices ...Choice) g.Node {
	return h.Select(h.Data("for", table), h.Data("key", key), h.Aria("label", label), hidden(), Lines(g.Map(choices, func(c Choice) g.Node {
		return h.Option(h.Value(c.Value), g.Text(c.Text))
	})...))
}

// Shown is where the page says how many rows of the table of the name are shown.
func Shown(table string) g.Node {
	return h.Span(h.Class("shown"), h.Role("status"), h.Data("shown-of", table))
}

// Card is a section of the page with a heading, which id names.
func Card(class, id, heading string, content ...g.Node) g.Node {
	return h.Section(h.Class(strings.TrimSpace("card "+class)), h.Aria("labelledby", id), Lines(h.H2(h.ID(id), g.Text(heading)), Lines(content...)))
}

// Notice is a card with a list of texts, nil without any.
func Notice(id, heading string, texts []string) g.Node {
	if len(texts) == 0 {
		return nil
	}
	return Card("notice", id, heading, h.Ul(g.Map(texts, func(text string) g.Node { return h.Li(g.Text(text)) })))
}

// Tag is a small label.
func Tag(tone Tone, text string) g.Node { return h.Span(h.Class("tag "+string(tone)), g.Text(text)) }
