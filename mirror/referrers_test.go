package mirror

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/strictyaml"
)

func TestReferrerRulesSelectByArtifactType(t *testing.T) {
	t.Parallel()
	const bundle, sbom, legacy = "application/vnd.dev.sigstore.bundle.v0.3+json", "application/spdx+json", "application/vnd.dev.cosign.simplesigning.v1+json"
	for rules, want := range map[string]string{
		`true`:                           "bundle sbom legacy none",
		`{types: application/spdx+json}`: "sbom",
		`{types: "*spdx*"}`:              "sbom",
		`{types: "*"}`:                   "bundle sbom legacy none",
		`{types: "application/vnd.*"}`:   "bundle legacy",
		`{types: ["*sigstore*", "*simplesigning*"]}`: "bundle legacy",
		`{types: '/application/[a-z]+\+json/'}`:      "sbom",
		`{exclude: "*spdx*"}`:                        "bundle legacy none",
		`{types: "*/vnd.*", exclude: "*cosign*"}`:    "bundle",
		`{types: spdx}`:                              "",
	} {
		c, err := ReadConfig(strings.NewReader("destinations: [b]\nreferrers: "+rules+"\nimages: [{from: a/b}]"), nil)
		if err != nil {
			t.Errorf("%s: %v", rules, err)
			continue
		}
		filter, err := c.ReferrersOf(c.Images[0]).Filter()
		if err != nil {
			t.Errorf("%s: %v", rules, err)
		}
		var got []string
		for _, of := range [][]string{{"bundle", bundle}, {"sbom", sbom}, {"legacy", "text/plain", legacy}, {"none", ""}} {
			if filter == nil || filter(of[1:]) {
				got = append(got, of[0])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", rules, got, want)
		}
	}
}

func TestAnItemReplacesTheReferrersOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{}":                                    `true`,
		"{referrers: true}":                     `true`,
		"{referrers: false}":                    `false`,
		"{referrers: {types: [x, y]}}":          `{"types":["x","y"]}`,
		"{all: false}":                          `false`,
		"{all: false, referrers: true}":         `true`,
		"{all: {types: x}, referrers: false}":   `false`,
		"{all: {exclude: x}, referrers: null}":  `{"exclude":["x"]}`,
		"{all: {types: x, exclude: [y]}}":       `{"types":["x"],"exclude":["y"]}`,
		"{all: true, referrers: {exclude: x*}}": `{"exclude":["x*"]}`,
	} {
		var given struct {
			All       *ReferrerRules `yaml:"all"`
			Referrers *ReferrerRules `yaml:"referrers"`
		}
		if err := strictyaml.Decode(strings.NewReader(text), &given); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		c := Config{Referrers: given.All, Images: []ImageRules{{From: "a/b", Referrers: given.Referrers}}}
		rules, err := json.Marshal(c.ReferrersOf(c.Images[0]))
		if err != nil || string(rules) != want {
			t.Errorf("%s: %s (%v), want %s", text, rules, err, want)
		}
		var again ReferrerRules // as in a saved plan
		if err := json.Unmarshal(rules, &again); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != want {
			t.Errorf("%s: read again it is %s (%v)", text, twice, err)
		}
	}
}

// TestReferrerRulesThatSelectNothingByMistakeAreErrors has the place in the error and below it.
func TestReferrerRulesThatSelectNothingByMistakeAreErrors(t *testing.T) {
	t.Parallel()
	const empty, pattern = "the list is empty", "is not a pattern of artifact types"
	for _, tt := range []struct{ text, place, want string }{
		{"referrers: {types: []}\nimages: [{from: a/b}]", "[2:13] referrers.types: ", empty},
		{"referrers:\n  exclude: []\nimages: [{from: a/b}]", "[3:3] referrers.exclude: ", empty},
		{"images:\n- from: a/b\n- from: a/c\n  referrers:\n    types: ['[']", "[6:5] images[1].referrers.types: ", pattern},
		{"images: [{from: a/b, referrers: {exclude: [x, '']}}]", "[2:34] images[0].referrers.exclude: ", pattern},
		{"images: [{from: a/b, referrers: {types: /(/}}]", "[2:34] images[0].referrers.types: ", "missing closing )"},
		{"images: [{from: a/b, referrers: {}}]", "images[0].referrers.types: ", empty},
		{"images: [{from: a/b, referrers: {typse: x}}]", "[2:34] ", `unknown field "typse"`},
		{"images: [{from: a/b, referrers: sometimes}]", "", "[2:33] "},
	} {
		for name, read := range map[string]func() error{
			"plan":   func() error { _, err := ReadConfig(strings.NewReader("destinations: [b]\n"+tt.text), nil); return err },
			"export": func() error { _, err := ReadSources(strings.NewReader("destinations: [b]\n"+tt.text), nil); return err },
		} {
			err := read()
			if err == nil || !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.place) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s: %v, want %s… %s", name, tt.text, err, tt.place, tt.want)
			}
			if strings.HasPrefix(tt.place, "[") && !strings.HasSuffix(strictyaml.Caret(err), "^") {
				t.Errorf("%s, %s: no caret in %q", name, tt.text, strictyaml.Caret(err))
			}
		}
	}
	c := Config{Destinations: []string{"b"}, Images: []ImageRules{{From: "a/b", Referrers: &ReferrerRules{Types: Patterns{}}}}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), empty) || !errors.Is(err, ErrConfig) {
		t.Errorf("made by a program: %v", err)
	}
}
