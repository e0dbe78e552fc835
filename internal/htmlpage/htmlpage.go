// Package htmlpage is the frame of the reports that are one HTML page: the style, light
// and dark, the head, and tables that are sorted and filtered. A page needs nothing from
// the net, and its content security policy lets it run no script but its own.
//
// Reports are Go code, in which all texts and values of attributes are escaped. html/template calls methods by
// their names, so the linker would keep every exported method of every type: 5 MB of the program.
package htmlpage

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

//go:embed style.css
var style string

//go:embed page.js
var script string

// Tone colours what it is given for: a result, a bar, a label.
type Tone string

// The tones. Those of severities have the same names in lower case.
const (
	ToneGood    Tone = "good"
	ToneBad     Tone = "bad"
	ToneWarning Tone = "warning"
	TonePlain   Tone = "plain"
)

// Page is what a report says in the frame.
type Page struct {
	Kind  string // what it is: "Image scan"
	Title string // what it is about, short
	// Reference is the whole name of what it is about, to be copied; "" if there is none.
	Reference string
	Subtitle  string
	Result    string // the outcome in a word or two, "" if there is none
	Tone      Tone   // of the result
	At        time.Time
	Version   string // of ecrkit
	Content   g.Node
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	if err := (g.Group{g.Raw("<!DOCTYPE html>\n"), h.HTML(h.Lang("en"), Lines(p.head(), p.body()))}).Render(buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

func (p Page) head() g.Node {
	hash := sha256.Sum256([]byte(script))
	policy := fmt.Sprintf("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
		base64.StdEncoding.EncodeToString(hash[:]))
	title := p.Kind + ": " + p.Title
	if p.Result != "" {
		title += " – " + p.Result
	}
	return h.Head(Lines(
		h.Meta(h.Charset("utf-8")),
		h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
		h.Meta(h.Name("color-scheme"), h.Content("light dark")),
		h.Meta(h.Name("referrer"), h.Content("no-referrer")),
		h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content(policy)),
		h.TitleEl(g.Text(title)),
		h.StyleEl(g.Raw(style)),
	))
}

func (p Page) body() g.Node {
	return h.Body(Lines(
		h.Header(h.Class("top "+string(p.Tone)), h.Div(h.Class("wide"), Lines(
			h.P(h.Class("kind"), h.Span(h.Class("brand"), g.Text("ecrkit")), g.Text(" "+p.Kind)),
			h.Div(h.Class("heading"), h.H1(g.Text(p.Title)), g.If(p.Result != "", h.P(h.Class("result "+string(p.Tone)), g.Text(p.Result)))),
			g.If(p.Reference != "", h.P(h.Class("reference code"), g.Text(p.Reference+" "), Copy(p.Reference))),
			g.If(p.Subtitle != "", h.P(h.Class("subtitle"), g.Text(p.Subtitle))),
		))),
		h.Main(h.Class("wide"), p.Content),
		h.Footer(h.Class("wide"), h.P(g.Text("Made by ecrkit "+p.Version+" on "),
			h.Time(h.DateTime(p.At.UTC().Format(time.RFC3339)), g.Text(p.At.UTC().Format("2 January 2006, 15:04 UTC"))), g.Text("."))),
		h.Script(g.Raw(script)),
	))
}

// Lines are nodes, each on a line of its own, so that pages can be compared line by line. It leaves out nil.
func Lines(nodes ...g.Node) g.Node {
	lines := g.Group{g.Text("\n")}
	for _, n := range nodes {
		if n != nil {
			lines = append(lines, n, g.Text("\n"))
		}
	}
	return lines
}

// Copy is a button that puts a text on the clipboard.
func Copy(text string) g.Node {
	return h.Button(h.Type("button"), h.Class("copy"), h.Data("copy", text), h.Aria("label", "Copy "+text), hidden(), g.Text("Copy"))
}

// hidden keeps a control, which does nothing without a script, from being shown before the script runs.
func hidden() g.Node { return g.Attr("hidden") }
