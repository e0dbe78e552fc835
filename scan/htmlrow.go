package scan

import (
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

// htmlRow is a finding of one image or several.
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

func (r htmlRow) anyExploit() bool {
	return r.some(func(j JudgedFinding) bool { return j.Exploit == Yes })
}

func (r htmlRow) anyInUse() bool { return r.some(JudgedFinding.isInUse) }

// managers are the package managers, other than that of the system.
func (r htmlRow) managers() string {
	return each(r.Packages, func(p Package) string {
		if p.Manager == "OS" {
			return ""
		}
		return strings.ToLower(p.Manager)
	})
}

// more reports whether there is something to open.
func (r htmlRow) more() bool {
	return r.headline() != "" || r.Because != "" || r.Vector != "" || r.State != "" || r.FirstObserved != nil || r.JudgedAs != ""
}

// urgency is higher for what there is more reason to fix.
func (r htmlRow) urgency() int {
	n := 0
	for weight, yes := range []bool{r.hasFix(), r.anyInUse(), r.anyExploit()} {
		if yes {
			n += 1 << weight
		}
	}
	return n
}

// signals are what the page filters by.
func (r htmlRow) signals() string {
	var signals []string
	add := func(name string, yes bool) {
		if yes {
			signals = append(signals, name)
		}
	}
	add("fix", r.hasFix())
	add("exploit", r.anyExploit())
	add("use", r.anyInUse())
	return strings.Join(signals, " ")
}

// keys are those of the images, for the filter.
func (r htmlRow) keys() string {
	keys := make([]string, len(r.Images))
	for n, i := range r.Images {
		keys[n] = i.Key
	}
	return strings.Join(keys, " ")
}

// tone is that of the decision.
func (r htmlRow) tone() htmlpage.Tone {
	switch r.Decision {
	case Blocks:
		return htmlpage.ToneBad
	case Ignored, Allowed:
		return htmlpage.ToneWarning
	}
	return htmlpage.TonePlain
}
