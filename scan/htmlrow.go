package scan

import (
	"strings"

	"github.com/ecrkit/ecrkit/internal/htmlpage"
)

// The methods that report.html calls.

func (r htmlRow) Rank() int         { return r.Severity.rank() }
func (r htmlRow) Headline() string  { return r.headline() }
func (r htmlRow) Names() string     { return r.names() }
func (r htmlRow) Versions() string  { return r.versions() }
func (r htmlRow) Fixes() string     { return r.fixes() }
func (r htmlRow) ShowScore() string { return r.showScore() }

// SortScore puts what has no score last.
func (r htmlRow) SortScore() float64 { return r.score() }
func (r htmlRow) HasExploit() bool   { return r.Exploit == Yes }
func (r htmlRow) HasFix() bool       { return r.Fix == Yes || r.Fix == Partial }
func (r htmlRow) IsInUse() bool      { return r.Finding.InUse != nil && *r.Finding.InUse > 0 }

// Managers are the package managers, other than that of the system.
func (r htmlRow) Managers() string {
	return each(r.Packages, func(p Package) string {
		if p.Manager == "OS" {
			return ""
		}
		return strings.ToLower(p.Manager)
	})
}

// More says whether there is something to open.
func (r htmlRow) More() bool {
	return r.headline() != "" || r.Because != "" || r.Vector != "" || r.State != "" || r.FirstObserved != nil
}

// Urgency is higher for what there is more reason to mend.
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
