package scan

import (
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

// htmlRow is a finding of one image or several. Its exported methods are called by report.html.
type htmlRow struct {
	JudgedFinding
	Images []htmlImage
	all    []JudgedFinding // of each of the images
}

// sameAs reports whether a finding of another image can be in the same row.
func (r htmlRow) sameAs(j JudgedFinding) bool {
	return r.ID == j.ID && r.Severity == j.Severity && r.Decision == j.Decision && r.Because == j.Because && r.JudgedAs == j.JudgedAs &&
		r.Fix == j.Fix && slices.EqualFunc(r.Packages, j.Packages, func(a, b Package) bool {
		return a.Name == b.Name && a.Version == b.Version && a.Fixed == b.Fixed && a.Manager == b.Manager
	})
}

// some reports whether something is true of the finding in one of the images.
func (r htmlRow) some(is func(JudgedFinding) bool) bool { return slices.ContainsFunc(r.all, is) }

func (r htmlRow) Rank() int         { return r.Severity.rank() }
func (r htmlRow) Headline() string  { return r.headline() }
func (r htmlRow) Names() string     { return r.names() }
func (r htmlRow) Versions() string  { return r.versions() }
func (r htmlRow) Fixes() string     { return r.fixes() }
func (r htmlRow) ShowScore() string { return r.showScore() }
func (r htmlRow) Judged() string    { return r.judgedText() }

// SortScore puts what has no score last.
func (r htmlRow) SortScore() float64 { return r.score() }

func (r htmlRow) HasExploit() bool {
	return r.some(func(j JudgedFinding) bool { return j.Exploit == Yes })
}
func (r htmlRow) HasFix() bool  { return r.hasFix() }
func (r htmlRow) IsInUse() bool { return r.some(JudgedFinding.isInUse) }

// Managers are the package managers, other than that of the system.
func (r htmlRow) Managers() string {
	return each(r.Packages, func(p Package) string {
		if p.Manager == "OS" {
			return ""
		}
		return strings.ToLower(p.Manager)
	})
}

// More reports whether there is something to open.
func (r htmlRow) More() bool {
	return r.headline() != "" || r.Because != "" || r.Vector != "" || r.State != "" || r.FirstObserved != nil || r.JudgedAs != ""
}

// Urgency is higher for what there is more reason to fix.
func (r htmlRow) Urgency() int {
	n := 0
	for weight, yes := range []bool{r.HasFix(), r.IsInUse(), r.HasExploit()} {
		if yes {
			n += 1 << weight
		}
	}
	return n
}

// Signals are what the page filters by.
func (r htmlRow) Signals() string {
	var signals []string
	add := func(name string, yes bool) {
		if yes {
			signals = append(signals, name)
		}
	}
	add("fix", r.HasFix())
	add("exploit", r.HasExploit())
	add("use", r.IsInUse())
	return strings.Join(signals, " ")
}

// Keys are those of the images, for the filter.
func (r htmlRow) Keys() string {
	keys := make([]string, len(r.Images))
	for n, i := range r.Images {
		keys[n] = i.Key
	}
	return strings.Join(keys, " ")
}

// Tone is that of the decision.
func (r htmlRow) Tone() htmlpage.Tone {
	switch r.Decision {
	case Blocks:
		return htmlpage.ToneBad
	case Ignored, Allowed:
		return htmlpage.ToneWarning
	}
	return htmlpage.TonePlain
}
