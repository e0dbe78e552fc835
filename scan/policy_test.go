package scan

import (
	"strings"
	"testing"
)

func policy(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy(strings.NewReader("version: 1\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPoliciesThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "version is missing; write version: 1",
		"version: 2":                           "version 2 is not known; write version: 1",
		"version: 1":                           "it blocks nothing",
		"version: 1\nblock: []":                "it blocks nothing",
		"version: 1\nblok: []":                 "blok",
		"version: 1\nblock: [{severity: BAD}]": `block[0]: severity "BAD" is not one of`,
		"version: 1\nblock: [{severity: UNDEFINED}]":                                 "say with undefined: as what it is judged",
		"version: 1\nblock: [{severities: [UNDEFINED]}]":                             "say with undefined: as which",
		"version: 1\nblock: [{severity: LOW, severities: [LOW]}]":                    "exclude each other",
		"version: 1\nblock: [{minimum_cvss: 11}]":                                    "11 is not between 0 and 10",
		"version: 1\nblock: [{minimum_cvss: .nan}]":                                  "not between 0 and 10",
		"version: 1\nblock: [{maximum: -1}]":                                         "-1 is less than 0",
		"version: 1\nblock: [{fix: true}]":                                           "fix",
		"version: 1\nblock: [{}]\nundefined: UNDEFINED":                              "not a severity to judge by",
		"version: 1\nblock: [{}]\naccept: [ACTIVE]":                                  `accept: "ACTIVE" is not one of FAILED,`,
		"version: 1\nblock: [{}]\naccept: [IN_PROGRESS]":                             `"IN_PROGRESS" is not one of`,
		"version: 1\nblock: [{}]\nignore: [{reason: x}]":                             "ignore[0]: id is missing",
		"version: 1\nblock: [{}]\nignore: [{id: CVE-1}]":                             "ignore[0] (CVE-1): reason is missing",
		"version: 1\nblock: [{}]\nignore: [{id: CVE-1, reason: ' '}]":                "reason is missing",
		"version: 1\nblock: [{}]\nignore: [{id: A, reason: x, expires: soon}]":       `expires: "soon" is not a date`,
		"version: 1\nblock: [{}]\nignore: [{id: A, reason: x}, {id: a, reason: y}]":  "it appears twice",
		"version: 1\nblock: [{}]\nrepositories: [{block: [{}]}]":                     "repositories[0]: match is missing",
		"version: 1\nblock: [{}]\nrepositories: [{match: [x], block: []}]":           "block is empty",
		"version: 1\nblock: [{}]\nrepositories: [{match: [x], accept: [COMPLETE]}]":  "repositories[0]: accept",
		"version: 1\nblock: [{}]\nrepositories: [{match: [x], ignore: [{id: A}]}]":   "repositories[0]: ignore[0] (A): reason",
		"version: 1\nblock: [{}]\n" + strings.Repeat("# comment\n", maxPolicy/10+10): "more than 1 MiB",
	} {
		if _, err := ParsePolicy(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v; want %q", text, err, want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add("version: 1\nblock:\n  - severity: HIGH\n    fix_available: true\nignore: [{id: A, reason: x, expires: 2026-12-31}]\n", "app")
	f.Add("version: 1\nblock: [{severities: [LOW], maximum: 3}]\nrepositories: [{match: ['*/x'], undefined: LOW}]\n", "a/x")
	f.Fuzz(func(t *testing.T, text, repository string) {
		p, err := ParsePolicy(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(p.Block) == 0 {
			t.Error("a policy that blocks nothing")
		}
		terms, _ := p.termsFor(repository)
		if len(terms.Block) == 0 {
			t.Errorf("a policy that blocks nothing of %q", repository)
		}
	})
}
