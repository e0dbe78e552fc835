package scan

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
)

// Outcome is the outcome of a gate.
type Outcome string

// The outcomes. An index, or several images, failed if one of them did, and otherwise
// has no result if one of them has none.
const (
	Passed   Outcome = "passed"
	Failed   Outcome = "failed"
	NoResult Outcome = "no-result"
)

// Decision is the decision of a policy on a finding.
type Decision string

// The decisions. Allowed says that a rule matches, but fewer findings than its maximum.
const (
	Blocks  Decision = "blocks"
	Allowed Decision = "allowed"
	Ignored Decision = "ignored"
	Passes  Decision = "passes"
)

// Verdict is the judgement of a policy on one image or several. Its JSON form is the JSON
// report.
type Verdict struct {
	At      time.Time `json:"evaluatedAt"`
	Outcome Outcome   `json:"outcome,omitempty"` // "" if there was no policy
	Images  []Image   `json:"images"`
	// Ignores are the entries of the policy for these repositories.
	Ignores  []IgnoreUse `json:"ignores"`
	Warnings []string    `json:"warnings"`
}

// Image is the verdict on one image.
type Image struct {
	Reference string `json:"reference"`
	Report
	Outcome Outcome          `json:"outcome,omitempty"`
	Reason  string           `json:"reason,omitempty"` // why there is no result
	Counts  map[Severity]int `json:"counts"`           // of the findings here
	Rules   []RuleUse        `json:"rules,omitempty"`
	Judged  []JudgedFinding  `json:"findings"`
}

// JudgedFinding is a finding with the decision on it.
type JudgedFinding struct {
	Finding
	Decision Decision `json:"decision,omitempty"`
	Because  string   `json:"because,omitempty"` // the rule that blocks, the reason for which it is ignored
	// JudgedAs is the severity by which the rules judge a finding of severity UNDEFINED, and
	// JudgedBecause why; both are "" for other findings and for those that no rule judges.
	JudgedAs      Severity `json:"judgedAs,omitempty"`
	JudgedBecause string   `json:"judgedBecause,omitempty"`
}

// RuleUse is a rule and how many findings it matched.
type RuleUse struct {
	Rule    string `json:"rule"`
	Maximum int    `json:"maximum"`
	Count   int    `json:"count"`
	// Found says of which severities they are: "7 CRITICAL, 2 UNDEFINED judged as CRITICAL".
	Found  string `json:"found,omitempty"`
	Failed bool   `json:"failed"` // there are more than Maximum
}

// Text describes the rule and what it matched: "CRITICAL: 2 found (2 CRITICAL)".
func (r RuleUse) Text() string {
	text := fmt.Sprintf("%s: %d found", r.Rule, r.Count)
	if r.Found != "" && r.Found != fmt.Sprint(r.Count, " ", r.Rule) {
		text += " (" + r.Found + ")"
	}
	return text
}

// IgnoreState is the state of an entry that ignores a finding.
type IgnoreState string

// The states. An expired entry ignores nothing; an unused one matched nothing.
const (
	IgnoreUsed    IgnoreState = "used"
	IgnoreUnused  IgnoreState = "unused"
	IgnoreExpired IgnoreState = "expired"
)

// IgnoreUse is an entry of the policy and what it did.
type IgnoreUse struct {
	Ignore
	State IgnoreState `json:"state"`
	Count int         `json:"count"` // findings of that kind, ignored or no longer so
}

// Err is nil if the gate passed. Otherwise it names the images and wraps ErrGate or
// ErrNoResult, which it also does if there was no policy.
func (v Verdict) Err() error {
	switch v.Outcome {
	case Passed:
		return nil
	case Failed:
		return fmt.Errorf("%w: %s", ErrGate, v.summary())
	}
	return fmt.Errorf("%w: %s", ErrNoResult, v.summary())
}

// summary returns in a line which images did not pass and why.
func (v Verdict) summary() string {
	var texts []string
	for _, i := range v.Images {
		switch i.Outcome {
		case Failed:
			texts = append(texts, i.title()+": "+i.blocked())
		case NoResult:
			texts = append(texts, i.title()+": "+i.Reason)
		}
	}
	const shown = 5
	if more := len(texts) - shown; more > 0 {
		texts = append(texts[:shown], fmt.Sprintf("and %s more", english.Plural(more, "image", "")))
	}
	if len(texts) == 0 {
		return "there was no policy"
	}
	return oneLine(strings.Join(texts, "; "))
}

// blocked reports how many findings block.
func (i Image) blocked() string {
	return english.Plural(i.count(Blocks), "finding blocks", "findings block")
}

func (i Image) count(d Decision) int {
	n := 0
	for _, j := range i.Judged {
		if j.Decision == d {
			n++
		}
	}
	return n
}
