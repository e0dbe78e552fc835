// Package htmlpage is the frame of the reports that are one HTML page: the style, light
// and dark, the head, and tables that are sorted and filtered. A page needs nothing from
// the net, and its content security policy lets it run no script but its own.
package htmlpage

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var pageHTML string

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
	Data      any    // what the content is made of
}

// Bar is a part of a bar chart.
type Bar struct {
	Label string
	Tone  Tone
	Count int
}

// Segment is where a Bar is drawn, in units of a bar 1000 wide.
type Segment struct {
	Bar
	X, Width float64
}

// Template is a kind of page.
type Template struct{ t *template.Template }

// New makes a kind of page. content is the text of a template that is given Page.Data;
// it may use the functions of the frame: segments (a chart of []Bar), date, and funcs.
func New(content string, funcs template.FuncMap) (*Template, error) {
	hash := sha256.Sum256([]byte(script))
	t := template.New("page").Funcs(template.FuncMap{
		"segments": segments,
		"date":     func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"style":    func() template.CSS { return template.CSS(style) },
		"script":   func() template.JS { return template.JS(script) },
		"policy": func() string {
			return fmt.Sprintf("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'", base64.StdEncoding.EncodeToString(hash[:]))
		},
	}).Funcs(funcs)
	if _, err := t.Parse(pageHTML); err != nil {
		return nil, err
	}
	if _, err := t.New("content").Parse(content); err != nil {
		return nil, err
	}
	return &Template{t: t}, nil
}

// Write writes the page.
func (t *Template) Write(w io.Writer, p Page) error {
	return t.t.ExecuteTemplate(w, "page", p)
}

// segments lays the parts of a chart side by side, each wide enough to be seen.
func segments(bars []Bar) []Segment {
	const width, least, gap = 1000, 12, 4
	total, shown := 0, 0
	for _, b := range bars {
		if b.Count > 0 {
			total += b.Count
			shown++
		}
	}
	if total == 0 {
		return nil
	}
	free := float64(width - shown*least - (shown-1)*gap)
	var all []Segment
	x := 0.0
	for _, b := range bars {
		if b.Count <= 0 {
			continue
		}
		w := least + free*float64(b.Count)/float64(total)
		all = append(all, Segment{Bar: b, X: x, Width: w})
		x += w + gap
	}
	return all
}
