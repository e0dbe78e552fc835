package scan

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

// content is what the frame shows.
func (r htmlReport) content() g.Node {
	parts := []g.Node{g.Map(r.Pictures, htmlImage.reason)}
	if r.Scanned {
		parts = append(parts, h.Div(h.Class("pair"), htmlpage.Lines(r.severities(), r.scans())))
	}
	warnings := make([]string, len(r.Warnings))
	for n, w := range r.Warnings {
		warnings[n] = oneLine(w)
	}
	parts = append(parts, htmlpage.Notice("warnings", "Warnings", warnings))
	if r.Scanned {
		parts = append(parts, r.findings())
	}
	return htmlpage.Lines(append(parts, r.ignores())...)
}

// reason is why an image has no result, nil if it has one.
func (i htmlImage) reason() g.Node {
	if i.Reason == "" {
		return nil
	}
	return h.Section(h.Class("card notice"), htmlpage.Lines(h.H2(g.Text(i.Short)), h.P(g.Text(oneLine(i.Reason)))))
}

// severities is the card of the severities and of what is best upgraded first.
func (r htmlReport) severities() g.Node {
	card := []g.Node{htmlpage.Chart(r.Bars), htmlpage.Tiles("findings", "severity", r.Bars)}
	if len(r.Upgrades) > 0 {
		lines := g.Map(r.Upgrades, upgrade.line)
		if r.Others > 0 {
			lines = append(lines, h.Li(h.Class("quiet"), g.Text("and "+english.Plural(r.Others, "more package", "")+" with a fix")))
		}
		card = append(card, h.H2(h.Class("next"), g.Text("Upgrade first")), h.Ul(h.Class("lines"), htmlpage.Lines(lines...)))
	}
	return htmlpage.Card("", "severities", "Severity", card...)
}

func (u upgrade) line() g.Node {
	value := g.Group{h.Span(h.Class("severity "+strings.ToLower(string(u.Worst))), g.Text(english.Plural(u.Findings, "finding", "")))}
	if u.Blocking > 0 {
		value = append(value, g.Text(" "), htmlpage.Tag(htmlpage.ToneBad, fmt.Sprint(u.Blocking, " blocking")))
	}
	return h.Li(
		h.Span(h.Strong(g.Text(u.Package)), g.Text(" "), h.Span(h.Class("code quiet"), g.Text(u.Versions+" → ")), h.Span(h.Class("code"), g.Text(u.Fixed))),
		g.Text("\n"), h.Span(h.Class("value"), value))
}

// scans is the card of the rules of the gate and of when the images were scanned.
func (r htmlReport) scans() g.Node {
	heading := "Scan"
	if r.Outcome != "" {
		heading = "Policy"
	}
	if r.Several {
		return htmlpage.Card("", "scans", heading, h.Ul(h.Class("lines"), htmlpage.Lines(g.Map(r.Pictures, htmlImage.line)...)))
	}
	return htmlpage.Card("", "scans", heading, g.Map(r.Pictures, htmlImage.facts)...)
}

// line is an image of several.
func (i htmlImage) line() g.Node {
	about := g.Group{h.Strong(g.Text(i.Short))}
	for _, rule := range i.Rules {
		if rule.Failed {
			about = append(about, h.Span(h.Class("sub"), g.Text(oneLine(rule.Text()))))
		}
	}
	status := oneLine(string(i.Status))
	if len(i.Rules) == 0 {
		about = append(about, h.Span(h.Class("sub"), g.Text(status)))
	}
	if i.Digest != "" {
		about = append(about, h.Span(h.Class("sub code"), g.Text(cutDigest(i.Digest)+" "), htmlpage.Copy(string(i.Digest))))
	}
	text := status
	if i.Outcome != "" {
		text = result(i.Outcome)
	}
	return h.Li(h.Span(about), h.Span(h.Class("value"), htmlpage.Tag(tone(i.Outcome), text)))
}

// facts are the rules and the scan of the only image.
func (i htmlImage) facts() g.Node {
	class := "facts"
	var rules g.Node
	if len(i.Rules) > 0 {
		class = "facts below"
		rules = h.Ul(h.Class("lines"), htmlpage.Lines(g.Map(i.Rules, RuleUse.line)...))
	}
	status := cmp.Or(oneLine(string(i.Status)), "none")
	if i.Type != "" {
		status += fmt.Sprintf(", %s scanning", i.Type)
	}
	facts := g.Group{fact("Status", status), timeFact("Scanned", i.CompletedAt), timeFact("Database of", i.SourceUpdatedAt),
		fact("System", oneLine(i.System)), fact("Platform", oneLine(i.Platform))}
	if i.Digest != "" {
		facts = append(facts, g.Group{h.Dt(g.Text("Digest")), h.Dd(h.Class("code"), g.Text(cutDigest(i.Digest)+" "), htmlpage.Copy(string(i.Digest)))})
	}
	return htmlpage.Lines(rules, h.Dl(h.Class(class), htmlpage.Lines(facts...)))
}

func (r RuleUse) line() g.Node {
	tag := htmlpage.Tag(htmlpage.ToneGood, "ok")
	if r.Failed {
		tag = htmlpage.Tag(htmlpage.ToneBad, "FAILED")
	}
	return h.Li(h.Span(g.Text(oneLine(r.Text()))), h.Span(h.Class("value"), tag))
}

// fact is a term and a text about it, nil without one.
func fact(term, text string) g.Node { return classedFact(term, "", text) }

func timeFact(term string, at *time.Time) g.Node {
	if at == nil {
		return nil
	}
	return fact(term, showTime(*at))
}

func classedFact(term, class, text string) g.Node {
	if text == "" {
		return nil
	}
	return g.Group{h.Dt(g.Text(term)), h.Dd(g.If(class != "", h.Class(class)), g.Text(text))}
}
