package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/ecrkit/ecrkit/internal/wildcard"
)

// expiresSoon is how long before its end an ignored finding is warned of.
const expiresSoon = 14 * 24 * time.Hour

// Gate judges an image, or each image of an index or of several reports, by a policy. at
// decides which ignored findings have expired. The same input always has the same verdict,
// in the same order.
func Gate(policy *Policy, report Report, at time.Time) Verdict {
	if policy == nil {
		return ListFindings(report, at) // whose Err is that there is no result
	}
	g := gate{policy: policy, at: at, used: map[*Ignore]int{}}
	v := Verdict{At: at.UTC(), Images: []Image{}, Ignores: []IgnoreUse{}, Warnings: []string{}}
	for _, r := range report.images() {
		v.Images = append(v.Images, g.image(r))
	}
	v.Outcome = together(v.Images)
	for _, e := range g.order {
		v.Ignores = append(v.Ignores, g.use(e))
	}
	v.Warnings = append(v.Warnings, g.warnings...)
	return v
}

// ListFindings returns a verdict without a policy: the findings of the scans, in order.
func ListFindings(report Report, at time.Time) Verdict {
	v := Verdict{At: at.UTC(), Images: []Image{}, Ignores: []IgnoreUse{}, Warnings: []string{}}
	for _, r := range report.images() {
		i := newImage(r)
		if !r.Status.Done() {
			i.Reason = notDone(r)
		}
		v.Images = append(v.Images, i)
		for _, s := range Severities() {
			if n := r.Counts[s]; n > i.Counts[s] {
				v.Warnings = append(v.Warnings, incomplete(i, s))
			}
		}
	}
	return v
}

// gate is one judgement under way.
type gate struct {
	policy   *Policy
	at       time.Time
	order    []*Ignore // those for the images judged
	used     map[*Ignore]int
	warnings []string
	// unscanned reports that there is an image of which nothing is known, which may have what
	// others do not.
	unscanned bool
}

func (g *gate) warn(format string, args ...any) {
	g.warnings = append(g.warnings, oneLine(fmt.Sprintf(format, args...)))
}

func newImage(r Report) Image {
	i := Image{Reference: r.Reference(), Report: r, Counts: countFindings(r.Findings), Judged: []JudgedFinding{}}
	for _, f := range slices.SortedStableFunc(slices.Values(r.Findings), compareFindings) {
		i.Judged = append(i.Judged, JudgedFinding{Finding: f})
	}
	return i
}

// image judges one.
func (g *gate) image(r Report) Image {
	terms, ignores := g.policy.termsFor(r.Repository)
	i := newImage(r)
	if len(terms.Block) == 0 {
		i.Outcome, i.Reason = NoResult, "the policy blocks nothing"
		return i
	}
	accepted := slices.Contains(terms.Accept, r.Status)
	if !r.Status.Done() && !accepted {
		i.Outcome, i.Reason = NoResult, notDone(r)
		g.unscanned = true
		return i
	}
	for _, e := range ignores {
		if !slices.Contains(g.order, e) {
			g.order = append(g.order, e)
		}
	}
	if accepted {
		g.warn("%s passes without a scan: the policy accepts the status %s", i.title(), r.Status)
	}
	g.judge(&i, terms, ignores)
	i.Outcome = Passed
	for _, rule := range i.Rules {
		if rule.Failed {
			i.Outcome = Failed
		}
	}
	for _, s := range Severities() {
		if r.Counts[s] <= i.Counts[s] {
			continue
		}
		judged, _ := Finding{Severity: s}.judged(terms.Undefined)
		if i.Outcome == Passed && slices.ContainsFunc(terms.Block, func(r Rule) bool { return r.concerns(judged) }) {
			i.Outcome, i.Reason = NoResult, incomplete(i, s)
		}
		g.warn("%s", incomplete(i, s))
	}
	return i
}

// judge decides on each finding of i.
func (g *gate) judge(i *Image, terms GateTerms, ignores []*Ignore) {
	for _, rule := range terms.Block {
		i.Rules = append(i.Rules, RuleUse{Rule: rule.String(), Maximum: rule.Maximum})
	}
	matched := make([][]int, len(i.Judged)) // the rules that match each finding
	for n := range i.Judged {
		j := &i.Judged[n]
		j.Decision = Passes
		switch {
		case j.State == "CLOSED":
			j.Because = "closed by Amazon Inspector"
			continue
		case j.State == "SUPPRESSED" && terms.AcceptSuppressed:
			j.Decision, j.Because = Ignored, "suppressed by Amazon Inspector"
			continue
		}
		if reason, ok := g.ignored(j.Finding, ignores); ok {
			j.Decision, j.Because = Ignored, reason
			continue
		}
		severity, because := j.judged(terms.Undefined)
		if severity != j.Severity {
			j.JudgedAs, j.JudgedBecause = severity, because
		}
		for k, rule := range terms.Block {
			if rule.blocks(j.Finding, severity) {
				matched[n] = append(matched[n], k)
				i.Rules[k].Count++
			}
		}
	}
	for k := range i.Rules {
		i.Rules[k].Failed = i.Rules[k].Count > i.Rules[k].Maximum
		var found []JudgedFinding
		for n, rules := range matched {
			if slices.Contains(rules, k) {
				found = append(found, i.Judged[n])
			}
		}
		i.Rules[k].Found = bySeverity(found)
	}
	for n, rules := range matched {
		for _, k := range rules {
			j := &i.Judged[n]
			if i.Rules[k].Failed {
				j.Decision, j.Because = Blocks, i.Rules[k].Rule
				break
			}
			if j.Decision == Passes {
				j.Decision, j.Because = Allowed, i.Rules[k].Rule
			}
		}
	}
}

// blocks reports whether all of the rule is true of a finding that is judged as severity.
func (r Rule) blocks(f Finding, severity Severity) bool {
	return r.concerns(severity) &&
		(r.MinimumCVSS == 0 || f.Score == nil || *f.Score >= r.MinimumCVSS) &&
		(!r.FixAvailable || f.Fix != No) &&
		(!r.ExploitAvailable || f.Exploit != No) &&
		(!r.InUse || f.InUse == nil || *f.InUse > 0)
}

// concerns reports whether the rule is about a severity.
func (r Rule) concerns(s Severity) bool {
	if len(r.Severities) > 0 {
		return slices.Contains(r.Severities, s)
	}
	return r.Severity == "" || s.rank() >= r.Severity.rank()
}

// bySeverity counts findings by severity, and those of severity UNDEFINED by what they are judged as.
func bySeverity(findings []JudgedFinding) string {
	type kind struct{ severity, judgedAs Severity }
	counts := map[kind]int{}
	for _, j := range findings {
		counts[kind{j.Severity, j.JudgedAs}]++
	}
	var texts []string
	for _, severity := range Severities() {
		for _, judgedAs := range append([]Severity{""}, Severities()...) {
			n := counts[kind{severity, judgedAs}]
			switch {
			case n == 0:
			case judgedAs == "":
				texts = append(texts, fmt.Sprintf("%d %s", n, severity))
			default:
				texts = append(texts, fmt.Sprintf("%d %s judged as %s", n, severity, judgedAs))
			}
		}
	}
	return strings.Join(texts, ", ")
}

// ignored returns the reason for which a finding is ignored. Each entry about it counts
// as used, whether or not it has expired.
func (g *gate) ignored(f Finding, ignores []*Ignore) (reason string, ok bool) {
	for _, e := range ignores {
		if !e.covers(f) {
			continue
		}
		g.used[e]++
		if !ok && !e.expired(g.at) {
			reason, ok = e.Reason, true
		}
	}
	return reason, ok
}

// covers reports whether the entry is about the finding.
func (e *Ignore) covers(f Finding) bool {
	if !strings.EqualFold(e.ID, f.ID) {
		return false
	}
	if e.Package == "" {
		return true
	}
	return len(f.Packages) > 0 && !slices.ContainsFunc(f.Packages, func(p Package) bool { return !wildcard.Match(e.Package, p.Name) })
}

// use reports what became of an entry, with a warning if something is to be done about it.
func (g *gate) use(e *Ignore) IgnoreUse {
	u := IgnoreUse{Ignore: *e, State: IgnoreUsed, Count: g.used[e]}
	switch {
	case e.expired(g.at):
		u.State = IgnoreExpired
		g.warn("ignore %s: expired %s and has no effect", e.ID, e.Expires)
	case u.Count == 0:
		u.State = IgnoreUnused
		if !g.unscanned {
			g.warn("ignore %s: there is no such finding; remove it if no other image needs it", e.ID)
		}
	case e.Expires == "":
		g.warn("ignore %s: it never expires; add a date", e.ID)
	case e.expired(g.at.Add(expiresSoon)):
		g.warn("ignore %s: expires %s, and %s will count again", e.ID, e.Expires, english.Plural(u.Count, "finding", ""))
	}
	return u
}

// together is the outcome of several images.
func together(images []Image) Outcome {
	outcome := Passed
	for _, i := range images {
		switch {
		case i.Outcome == Failed:
			return Failed
		case i.Outcome != Passed:
			outcome = NoResult
		}
	}
	return outcome
}

// notDone reports why there is nothing to judge.
func notDone(r Report) string {
	status := string(r.Status)
	if status == "" {
		status = "no status"
	}
	text := status + ": " + r.Status.Explain()
	if r.StatusDescription != "" {
		text += fmt.Sprintf(" (%s)", r.StatusDescription)
	}
	return oneLine(text)
}

func incomplete(i Image, s Severity) string {
	return oneLine(fmt.Sprintf("%s: the scan counts %d %s findings, and %d are listed; pages are missing", i.title(), i.Report.Counts[s], s, i.Counts[s]))
}
