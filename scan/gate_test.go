package scan

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// finding makes one for a test: "HIGH CVE-1".
func finding(severity Severity, id string, change ...func(*Finding)) Finding {
	f := Finding{ID: id, Severity: severity, Packages: []Package{{Name: "openssl", Version: "1"}}, Fix: No, Exploit: No, InUse: new(int64)}
	for _, c := range change {
		c(&f)
	}
	return f
}

func scored(score float64) func(*Finding) { return func(f *Finding) { f.Score = &score } }
func fixed(k Answer) func(*Finding)       { return func(f *Finding) { f.Fix = k } }
func exploited(k Answer) func(*Finding)   { return func(f *Finding) { f.Exploit = k } }
func unknownUse(f *Finding)               { f.InUse = nil }
func inUse(f *Finding)                    { n := int64(2); f.InUse = &n }

func image(status Status, findings ...Finding) Report {
	return Report{Repository: "team/app", Tags: []string{"1"}, Status: status, Findings: findings}
}

// blocked are the IDs of what blocks.
func blocked(v Verdict) []string {
	var ids []string
	for _, i := range v.Images {
		for _, j := range i.Judged {
			if j.Decision == Blocks {
				ids = append(ids, j.ID)
			}
		}
	}
	return ids
}

func TestRules(t *testing.T) {
	for name, test := range map[string]struct {
		policy   string
		findings []Finding
		want     []string
	}{
		"a severity and worse": {"block: [{severity: HIGH}]",
			[]Finding{finding(Critical, "C"), finding(High, "H"), finding(Medium, "M"), finding(Informational, "I")}, []string{"C", "H"}},
		"exactly some severities": {"block: [{severities: [medium, LOW]}]",
			[]Finding{finding(Critical, "C"), finding(Medium, "M"), finding(Low, "L"), finding(Informational, "I")}, []string{"M", "L"}},
		"all severities": {"block: [{}]", []Finding{finding(Informational, "I")}, []string{"I"}},
		"only with a fix": {"block: [{severity: LOW, fix_available: true}]",
			[]Finding{finding(Low, "1", fixed(Yes)), finding(Low, "2", fixed(Partial)), finding(Low, "3", fixed(No)), finding(Low, "4", fixed(Unknown))}, []string{"1", "2", "4"}},
		"only with an exploit": {"block: [{severity: LOW, exploit_available: true}]",
			[]Finding{finding(Low, "1", exploited(Yes)), finding(Low, "2", exploited(No)), finding(Low, "3", exploited(Unknown))}, []string{"1", "3"}},
		"only in use": {"block: [{severity: LOW, in_use: true}]",
			[]Finding{finding(Low, "1", inUse), finding(Low, "2"), finding(Low, "3", unknownUse)}, []string{"1", "3"}},
		"from a score": {"block: [{minimum_cvss: 7}]",
			[]Finding{finding(Low, "1", scored(7)), finding(Low, "2", scored(6.9)), finding(Low, "3")}, []string{"1", "3"}},
		"all of a rule": {"block: [{severity: HIGH, fix_available: true, exploit_available: true}]",
			[]Finding{finding(High, "1", fixed(Yes), exploited(Yes)), finding(High, "2", fixed(Yes)), finding(Medium, "3", fixed(Yes), exploited(Yes))}, []string{"1"}},
		"one of the rules": {"block: [{severity: CRITICAL}, {severity: HIGH, fix_available: true}]",
			[]Finding{finding(Critical, "1"), finding(High, "2"), finding(High, "3", fixed(Yes))}, []string{"1", "3"}},
		"as many as the maximum":   {"block: [{severities: [LOW], maximum: 2}]", []Finding{finding(Low, "1"), finding(Low, "2")}, nil},
		"more than the maximum":    {"block: [{severities: [LOW], maximum: 2}]", []Finding{finding(Low, "1"), finding(Low, "2"), finding(Low, "3")}, []string{"1", "2", "3"}},
		"a maximum of one of them": {"block: [{severity: LOW, maximum: 9}, {severity: HIGH}]", []Finding{finding(High, "1"), finding(Low, "2")}, []string{"1"}},
		"undefined goes by its score": {"block: [{severity: HIGH}]",
			[]Finding{finding(Undefined, "1", scored(7)), finding(Undefined, "2", scored(6.9))}, []string{"1"}},
		"undefined without a score is the worst": {"block: [{severity: CRITICAL}]", []Finding{finding(Undefined, "1")}, []string{"1"}},
		"undefined as the policy says":           {"block: [{severity: HIGH}]\nundefined: low", []Finding{finding(Undefined, "1", scored(10))}, nil},
		"closed by Inspector":                    {"block: [{}]", []Finding{finding(High, "1", func(f *Finding) { f.State = "CLOSED" })}, nil},
		"suppressed blocks":                      {"block: [{}]", []Finding{finding(High, "1", func(f *Finding) { f.State = "SUPPRESSED" })}, []string{"1"}},
		"suppressed is accepted": {"block: [{}]\naccept_suppressed: true",
			[]Finding{finding(High, "1", func(f *Finding) { f.State = "SUPPRESSED" })}, nil},
		"a repository's own rules": {"block: [{}]\nrepositories: [{match: [other]}, {match: ['te*'], block: [{severity: CRITICAL}]}, {match: ['*'], undefined: LOW}]",
			[]Finding{finding(Critical, "1"), finding(High, "2"), finding(Undefined, "3")}, []string{"1", "3"}},
	} {
		v := Gate(policy(t, test.policy), image(StatusComplete, test.findings...), at)
		got := blocked(v)
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v block, want %v", name, got, test.want)
		}
		wantErr := ErrGate
		if len(test.want) == 0 {
			wantErr = nil
		}
		if err := v.Err(); !errors.Is(err, wantErr) || errors.Is(err, ErrNoResult) {
			t.Errorf("%s: %v, want %v", name, err, wantErr)
		}
	}
}

// Continuous scanning never is COMPLETE.
func TestActiveIsDone(t *testing.T) {
	for _, s := range []Status{StatusActive, StatusComplete} {
		if err := Gate(policy(t, "block: [{}]"), image(s), at).Err(); err != nil {
			t.Errorf("%s without findings: %v", s, err)
		}
		if err := Gate(policy(t, "block: [{}]"), image(s, finding(Low, "1")), at).Err(); !errors.Is(err, ErrGate) {
			t.Errorf("%s with a finding: %v", s, err)
		}
	}
}

// What is not a scan fails closed, and not as a gate that failed.
func TestStatusesFailClosed(t *testing.T) {
	for _, s := range []Status{
		StatusFailed, StatusUnsupportedImage, StatusEligibilityExpired, StatusFindingsUnavailable, StatusLimitExceeded, StatusImageArchived,
		StatusPending, StatusInProgress, "", "SOMETHING_NEW",
	} {
		r := image(s, finding(Critical, "stale"))
		r.StatusDescription = "said by AWS"
		err := Gate(policy(t, "block: [{severity: CRITICAL}]"), r, at).Err()
		if !errors.Is(err, ErrNoResult) || errors.Is(err, ErrGate) {
			t.Errorf("%q: %v", s, err)
		}
		if text := err.Error(); !strings.Contains(text, "team/app:1: "+string(s)) || !strings.Contains(text, "said by AWS") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestStatusesAcceptedByName(t *testing.T) {
	for _, s := range acceptableStatuses() {
		p := policy(t, "block: [{severity: CRITICAL}]\naccept: ["+string(s)+"]")
		v := Gate(p, image(s), at)
		if v.Err() != nil || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "accepts the status "+string(s)) {
			t.Errorf("%s: %v %q", s, v.Err(), v.Warnings)
		}
		// What is known of such an image still counts.
		if err := Gate(p, image(s, finding(Critical, "1")), at).Err(); !errors.Is(err, ErrGate) {
			t.Errorf("%s with a finding: %v", s, err)
		}
		for _, other := range append(acceptableStatuses(), StatusPending, "") {
			if err := Gate(p, image(other), at).Err(); other != s && !errors.Is(err, ErrNoResult) {
				t.Errorf("%s, where %s is accepted: %v", other, s, err)
			}
		}
	}
}

// An index is not scanned; each of its platforms has to pass.
func TestIndexNeedsEveryPlatform(t *testing.T) {
	good := Report{Platform: "linux/amd64", Status: StatusComplete}
	bad := Report{Platform: "linux/arm64", Status: StatusComplete, Findings: []Finding{finding(High, "1")}}
	unscanned := Report{Platform: "linux/s390x", Status: StatusPending}
	for name, test := range map[string]struct {
		children []Report
		want     Outcome
	}{
		"all pass":                      {[]Report{good, good}, Passed},
		"one has findings":              {[]Report{good, bad}, Failed},
		"one has no result":             {[]Report{good, unscanned}, NoResult},
		"findings are more than no one": {[]Report{unscanned, bad, good}, Failed},
		"no child":                      {nil, NoResult},
	} {
		// The index itself has the status of what cannot be scanned.
		index := Report{Name: "HOST/team/app:1", Repository: "team/app", Status: StatusUnsupportedImage, Children: test.children}
		v := Gate(policy(t, "block: [{severity: HIGH}]"), index, at)
		if v.Outcome != test.want {
			t.Errorf("%s: %s, want %s", name, v.Outcome, test.want)
		}
		for _, i := range v.Images {
			if i.Repository != "team/app" || i.Reference != "HOST/team/app:1" {
				t.Errorf("%s: %s %s", name, i.Repository, i.Reference)
			}
		}
	}
}

// A list that is shorter than what the scan counts is not the whole of it.
func TestListShorterThanItsCounts(t *testing.T) {
	r := image(StatusComplete, finding(Low, "1"))
	r.Counts = map[Severity]int{Low: 3}
	p := policy(t, "block: [{severity: HIGH}]")
	if v := Gate(p, r, at); v.Err() != nil || len(v.Warnings) != 1 {
		t.Errorf("of a severity that blocks nothing: %v %q", v.Err(), v.Warnings)
	}
	r.Counts = map[Severity]int{Low: 1, Critical: 1}
	if err := Gate(p, r, at).Err(); !errors.Is(err, ErrNoResult) || !strings.Contains(err.Error(), "the scan counts 1 CRITICAL findings, and 0 are listed") {
		t.Errorf("%v", err)
	}
	r.Counts = map[Severity]int{Undefined: 1}
	if err := Gate(p, r, at).Err(); !errors.Is(err, ErrNoResult) {
		t.Errorf("an undefined one is missing: %v", err)
	}
	r.Counts = map[Severity]int{Low: 1, Critical: 1}
	r.Findings = append(r.Findings, finding(High, "2"))
	if err := Gate(p, r, at).Err(); !errors.Is(err, ErrGate) {
		t.Errorf("what is listed blocks: %v", err)
	}
}

func TestIgnored(t *testing.T) {
	const day = "2026-11-24"
	for name, test := range map[string]struct {
		ignore  string
		at      time.Time
		blocks  bool
		state   IgnoreState
		warning string
	}{
		"in force":              {"{id: cve-1, reason: x, expires: 2027-06-01}", at, false, IgnoreUsed, ""},
		"without an end":        {"{id: CVE-1, reason: x}", at, false, IgnoreUsed, "ignore CVE-1: it never expires; add a date"},
		"on its last day":       {"{id: CVE-1, reason: x, expires: " + day + "}", at, false, IgnoreUsed, "ignore CVE-1: expires 2026-11-24, and 1 finding will count again"},
		"at its last moment":    {"{id: CVE-1, reason: x, expires: " + day + "}", time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC), false, IgnoreUsed, "expires"},
		"after its last day":    {"{id: CVE-1, reason: x, expires: " + day + "}", time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), true, IgnoreExpired, "ignore CVE-1: expired 2026-11-24 and has no effect"},
		"by a time":             {"{id: CVE-1, reason: x, expires: '2026-11-24T11:00:00Z'}", at, true, IgnoreExpired, "expired"},
		"unused":                {"{id: CVE-2, reason: x, expires: 2027-06-01}", at, true, IgnoreUnused, "ignore CVE-2: there is no such finding; remove it"},
		"of the package":        {"{id: CVE-1, package: '*ssl', reason: x, expires: 2027-06-01}", at, false, IgnoreUsed, ""},
		"of another package":    {"{id: CVE-1, package: zlib, reason: x, expires: 2027-06-01}", at, true, IgnoreUnused, "no such finding"},
		"of the repository":     {"{id: CVE-1, repository: team/*, reason: x, expires: 2027-06-01}", at, false, IgnoreUsed, ""},
		"of another repository": {"{id: CVE-1, repository: other, reason: x, expires: 2027-06-01}", at, true, "", ""},
	} {
		v := Gate(policy(t, "block: [{severity: HIGH}]\nignore: ["+test.ignore+"]"), image(StatusComplete, finding(High, "CVE-1")), test.at)
		if (v.Outcome == Failed) != test.blocks {
			t.Errorf("%s: %s", name, v.Outcome)
		}
		var state IgnoreState
		if len(v.Ignores) > 0 {
			state = v.Ignores[0].State
		}
		warnings := strings.Join(v.Warnings, "\n")
		if state != test.state || !strings.Contains(warnings, test.warning) || (warnings == "") != (test.warning == "") {
			t.Errorf("%s: %s %q, want %s %q", name, state, warnings, test.state, test.warning)
		}
	}
}

// A finding of several packages is ignored if the entry is about all of them.
func TestIgnoredPackageOfSeveral(t *testing.T) {
	two := finding(High, "CVE-1", func(f *Finding) { f.Packages = append(f.Packages, Package{Name: "zlib"}) })
	if v := Gate(policy(t, "block: [{}]\nignore: [{id: CVE-1, package: openssl, reason: x}]"), image(StatusActive, two), at); v.Outcome != Failed {
		t.Errorf("%+v", v)
	}
}

// A list of ignored findings is in the way of nothing: an entry that is not used any more
// does not fail the gate.
func TestUnusedIgnoreDoesNotFail(t *testing.T) {
	v := Gate(policy(t, "block: [{}]\nignore: [{id: CVE-1, reason: x}]"), image(StatusActive), at)
	if v.Err() != nil || len(v.Warnings) != 1 {
		t.Errorf("%v %q", v.Err(), v.Warnings)
	}
}

// What was not scanned may have the finding.
func TestUnusedIgnoreOfAnUnscannedImage(t *testing.T) {
	p := policy(t, "block: [{}]\nignore: [{id: CVE-1, reason: x}]")
	if v := Gate(p, image(StatusPending), at); len(v.Ignores) != 0 || len(v.Warnings) != 0 {
		t.Errorf("%+v %q", v.Ignores, v.Warnings)
	}
	if v := Gate(p, Merge(image(StatusActive), image(StatusPending)), at); len(v.Ignores) != 1 || len(v.Warnings) != 0 {
		t.Errorf("%+v %q", v.Ignores, v.Warnings)
	}
}

// A policy that was not parsed is not one that lets pass.
func TestPoliciesMadeByHand(t *testing.T) {
	r := image(StatusActive, finding(High, "CVE-1"))
	for name, p := range map[string]*Policy{"nil": nil, "zero": {}} {
		if err := Gate(p, r, at).Err(); !errors.Is(err, ErrNoResult) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, expires := range []string{"2026-11-23", "soon"} {
		p := &Policy{GateTerms: GateTerms{Block: []Rule{{Severity: High}}}, Ignore: []Ignore{{ID: "CVE-1", Reason: "x", Expires: expires}}}
		if err := Gate(p, r, at).Err(); !errors.Is(err, ErrGate) {
			t.Errorf("ignored until %s: %v", expires, err)
		}
	}
}

func TestOverrideAddsIgnored(t *testing.T) {
	p := policy(t, "block: [{}]\nignore: [{id: CVE-1, reason: x}]\nrepositories: [{match: [team/app], ignore: [{id: CVE-2, reason: y}], accept: [FAILED]}]")
	if v := Gate(p, image(StatusFailed, finding(High, "CVE-1"), finding(High, "CVE-2")), at); v.Outcome != Passed || len(v.Ignores) != 2 {
		t.Errorf("%+v", v)
	}
}

func TestVerdictIsTheSameInAnyOrder(t *testing.T) {
	r := open(t, "enhanced.json")
	p := policy(t, "block: [{severity: LOW, maximum: 2}]")
	want := Gate(p, r, at)
	slices.Reverse(r.Findings)
	if got := Gate(p, r, at); !reflect.DeepEqual(got.Images[0].Judged, want.Images[0].Judged) {
		t.Error("the order of the findings changes the verdict")
	}
}

func TestShowJudgesNothing(t *testing.T) {
	v := ListFindings(image(StatusFailed, finding(High, "1")), at)
	if v.Outcome != "" || v.Images[0].Judged[0].Decision != "" || !strings.Contains(v.Images[0].Reason, "the scan failed") {
		t.Errorf("%+v", v)
	}
	if !errors.Is(v.Err(), ErrNoResult) {
		t.Error("what was not judged passes")
	}
}

// A rule says how many findings of which severity it matches, and a finding of severity UNDEFINED
// as which severity it counts, and why.
func TestUndefinedFindingsExplainWhyTheyCount(t *testing.T) {
	findings := []Finding{finding(Undefined, "U1"), finding(Undefined, "U2"), finding(Undefined, "U3", scored(7.5)), finding(High, "H")}
	for n := range 7 {
		findings = append(findings, finding(Critical, fmt.Sprint("C", n)))
	}
	for policyText, want := range map[string][]string{
		"block: [{severity: CRITICAL}, {severity: HIGH, maximum: 20}]": {
			"Rule:      CRITICAL: 9 found (7 CRITICAL, 2 UNDEFINED judged as CRITICAL), FAILED",
			"Rule:      HIGH or worse, at most 20: 11 found (7 CRITICAL, 1 HIGH, 2 UNDEFINED judged as CRITICAL, 1 UNDEFINED judged as HIGH), ok",
			"judged as CRITICAL", "judged as HIGH",
		},
		"block: [{severity: LOW, maximum: 99}]\nundefined: LOW": {
			"Rule:      LOW or worse, at most 99: 11 found (7 CRITICAL, 1 HIGH, 3 UNDEFINED judged as LOW), ok", "judged as LOW",
		},
		"block: [{severities: [MEDIUM]}]": {"Rule:      MEDIUM: 0 found, ok"},
	} {
		v := Gate(policy(t, policyText), image(StatusComplete, findings...), at)
		text := string(write(t, v, FormatTable, WriteOptions{}))
		for _, line := range want {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", policyText, line, text)
			}
		}
	}
	because := map[string]string{}
	for _, p := range []string{"block: [{}]", "block: [{}]\nundefined: LOW"} {
		for _, j := range Gate(policy(t, p), image(StatusComplete, findings...), at).Images[0].Judged {
			because[p+" "+j.ID] = string(j.JudgedAs) + ": " + j.JudgedBecause
		}
	}
	for key, want := range map[string]string{
		"block: [{}] U1": "CRITICAL: no CVSS score", "block: [{}] U3": "HIGH: CVSS 7.5", "block: [{}] H": ": ",
		"block: [{}]\nundefined: LOW U3": "LOW: undefined: LOW in the policy",
	} {
		if because[key] != want {
			t.Errorf("%s: %s, want %s", key, because[key], want)
		}
	}
	// Every report that names the finding explains it.
	v := Gate(policy(t, "block: [{severity: CRITICAL}]"), image(StatusComplete, findings[0]), at)
	for _, format := range Formats() {
		if text := string(write(t, v, format, WriteOptions{})); !strings.Contains(text, "judged as CRITICAL") && format != FormatJSON || format == FormatJSON && !strings.Contains(text, `"judgedAs": "CRITICAL"`) {
			t.Errorf("%s does not say why the finding counts:\n%s", format, text)
		}
	}
	if got := sarifLevel(Gate(policy(t, "block: [{}]\nundefined: LOW"), image(StatusComplete, findings[0]), at).Images[0].Judged[0]); got != "note" {
		t.Errorf("the SARIF level of what the policy judges as LOW is %s", got)
	}
}
