package scan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

// maxUpgrades is how many packages are named as the first to upgrade.
const maxUpgrades = 5

// htmlReport is what the page shows.
type htmlReport struct {
	Verdict
	Scanned  bool // there is something to show of at least one image
	Bars     []htmlpage.Bar
	Rows     []htmlRow
	Several  bool
	Pictures []htmlImage // the images
	Upgrades []upgrade
	Others   int // upgrades that are not shown
}

// htmlImage is an image of the page.
type htmlImage struct {
	Image
	Short string // tells it from the others of the page
	Key   string // for the filter
}

func (v Verdict) writeHTML(w io.Writer, version string) error {
	p := htmlpage.Page{Kind: "Image scan", Title: v.about(), At: v.At, Version: version, Tone: tone(v.Outcome)}
	report := v.htmlReport()
	p.Content = report.content()
	if len(v.Images) > 0 && !slices.ContainsFunc(v.Images, func(i Image) bool { return i.Reference != v.Images[0].Reference }) {
		p.Reference = oneLine(v.Images[0].Reference)
	}
	if report.Scanned {
		p.Subtitle = v.subtitle()
	}
	if v.Outcome != "" {
		p.Result = "Gate " + result(v.Outcome)
	}
	return p.Write(w)
}

// htmlReport prepares what the page shows.
func (v Verdict) htmlReport() htmlReport {
	report := htmlReport{Verdict: v, Several: len(v.Images) > 1}
	counts := map[Severity]int{}
	names := shortNames(v.Images)
	for n, i := range v.Images {
		image := htmlImage{Image: i, Short: names[n], Key: fmt.Sprint("i", n)}
		report.Pictures = append(report.Pictures, image)
		report.Scanned = report.Scanned || i.Status.Done() || len(i.Judged) > 0
		for _, j := range i.Judged {
			counts[j.Severity]++
			report.add(j, image)
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
	return report
}

// add adds a finding to the rows. One that several images have is one row, if the gate makes the same
// of it.
func (r *htmlReport) add(j JudgedFinding, image htmlImage) {
	for n := range r.Rows {
		if row := &r.Rows[n]; row.sameAs(j) && row.Images[len(row.Images)-1].Key != image.Key {
			row.Images = append(row.Images, image)
			row.all = append(row.all, j)
			return
		}
	}
	r.Rows = append(r.Rows, htmlRow{JudgedFinding: j, Images: []htmlImage{image}, all: []JudgedFinding{j}})
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

// result is an outcome in words.
func result(o Outcome) string {
	if o == NoResult {
		return "has no result"
	}
	return string(o)
}

// subtitle returns in a sentence how it stands.
func (v Verdict) subtitle() string {
	total, blocking, fixable, ignored := 0, 0, 0, 0
	for _, i := range v.Images {
		total += len(i.Judged)
		blocking += i.count(Blocks)
		ignored += i.count(Ignored)
		for _, j := range i.Judged {
			if j.hasFix() {
				fixable++
			}
		}
	}
	texts := []string{english.Plural(total, "finding", "")}
	if len(v.Images) > 1 {
		texts[0] += " in " + english.Plural(len(v.Images), "image", "")
	}
	add := func(n int, what string) {
		if n > 0 {
			texts = append(texts, fmt.Sprint(n, " ", what))
		}
	}
	add(blocking, "blocking")
	add(fixable, "with a fix")
	add(ignored, "ignored")
	return strings.Join(texts, ", ")
}
