package scan

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

//go:embed report.html
var reportHTML string

// maxUpgrades is how many packages are named as the first to mend.
const maxUpgrades = 5

// htmlReport is what the page shows.
type htmlReport struct {
	Verdict
	Scanned   bool // there is something to show of at least one image
	Bars      []htmlpage.Bar
	Rows      []htmlRow
	Platforms []string // if there are several images
	Upgrades  []upgrade
	Others    int // upgrades that are not shown
}

// htmlRow is a finding of one of the images.
type htmlRow struct {
	Judgement
	Image string // the platform, or the reference where there is none; "" of the only image
}

func (v Verdict) writeHTML(w io.Writer, version string) error {
	page, err := htmlpage.New(reportHTML, template.FuncMap{
		"line":  oneLine,
		"lower": func(s any) string { return strings.ToLower(fmt.Sprint(s)) },
		"title": func(s string) string { return s[:1] + strings.ToLower(s[1:]) },
		"web":   webAddress,
		"tone":  tone,
		"when":  showTime,
		"count": english.Plural,
	})
	if err != nil {
		return err
	}
	report := htmlReport{Verdict: v}
	counts := map[Severity]int{}
	for _, i := range v.Images {
		report.Scanned = report.Scanned || i.Status.Done() || len(i.Judged) > 0
		for _, j := range i.Judged {
			counts[j.Severity]++
			row := htmlRow{Judgement: j}
			if len(v.Images) > 1 {
				row.Image = i.short()
			}
			report.Rows = append(report.Rows, row)
		}
		if len(v.Images) > 1 {
			report.Platforms = append(report.Platforms, i.short())
		}
	}
	slices.SortStableFunc(report.Rows, func(a, b htmlRow) int { return compareFindings(a.Finding, b.Finding) })
	report.Upgrades = v.upgrades()
	if more := len(report.Upgrades) - maxUpgrades; more > 0 {
		report.Upgrades, report.Others = report.Upgrades[:maxUpgrades], more
	}
	for _, s := range Severities() {
		report.Bars = append(report.Bars, htmlpage.Bar{Label: string(s), Tone: htmlpage.Tone(strings.ToLower(string(s))), Count: counts[s]})
	}
	p := htmlpage.Page{Kind: "Image scan", Title: v.about(), At: v.At, Version: version, Tone: tone(v.Outcome), Data: report}
	if report.Scanned {
		p.Subtitle = v.subtitle()
	}
	switch v.Outcome {
	case Passed:
		p.Result = "Gate passed"
	case Failed:
		p.Result = "Gate failed"
	case NoResult:
		p.Result = "No result"
	}
	return page.Write(w, p)
}

func tone(o Outcome) htmlpage.Tone {
	switch o {
	case Passed:
		return htmlpage.ToneGood
	case Failed:
		return htmlpage.ToneBad
	case NoResult:
		return htmlpage.ToneWarning
	}
	return htmlpage.TonePlain
}

// short tells an image from the others of the page.
func (i Image) short() string {
	if i.Platform != "" {
		return oneLine(i.Platform)
	}
	return oneLine(i.Reference)
}

// about is what the images have in common.
func (v Verdict) about() string {
	if len(v.Images) == 0 {
		return "No image"
	}
	first := v.Images[0].Reference
	for _, i := range v.Images[1:] {
		if i.Reference != first {
			return english.Plural(len(v.Images), "image", "")
		}
	}
	return oneLine(first)
}

// subtitle says in a sentence how it stands.
func (v Verdict) subtitle() string {
	total, blocking, fixable, ignored := 0, 0, 0, 0
	for _, i := range v.Images {
		total += len(i.Judged)
		blocking += i.count(Blocks)
		ignored += i.count(Ignored)
		for _, j := range i.Judged {
			if j.Fix == Yes || j.Fix == Partial {
				fixable++
			}
		}
	}
	texts := []string{english.Plural(total, "finding", "")}
	if len(v.Images) > 1 {
		texts[0] += " in " + english.Plural(len(v.Images), "image", "")
	}
	add := func(n int, one, more string) {
		if n > 0 {
			texts = append(texts, english.Plural(n, one, more))
		}
	}
	add(blocking, "blocks", "block")
	add(fixable, "has a fix", "have a fix")
	add(ignored, "is ignored", "are ignored")
	return strings.Join(texts, ", ")
}
