package strictyaml

import (
	"strings"
	"testing"
)

// What is wrong is said in the words of people who write YAML now and then, with the place and the key, and no value is
// quoted.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	type rule struct {
		Count int      `yaml:"count"`
		On    bool     `yaml:"on"`
		Share float64  `yaml:"share"`
		Tags  []string `yaml:"tags"`
	}
	type sum string
	type document struct {
		Sums   []sum  `yaml:"sums"`
		Name   string `yaml:"name"`
		Images []rule `yaml:"images"`
		Rule   rule   `yaml:"rule"`
	}
	const list = `a list ([A, B], or lines that begin with "- ") is expected, not `
	const keys = "keys with values (KEY: VALUE) are expected, not "
	for text, want := range map[string]string{
		"SECRET":                              "[1:1] " + keys + "text",
		"rule: {tags: [sha256:SECRET]}":       "[1:21] text is expected, not keys with values; put text with a colon in quotation marks",
		"{sums: [sha256:SECRET]}":             "[1:15] text is expected, not keys with values; put text with a colon in quotation marks",
		"name = SECRET":                       "[1:1] " + keys + "text",
		"- name: SECRET":                      "[1:1] " + keys + "a list",
		"images: SECRET":                      "[1:9] images: " + list + "text",
		"images: 3":                           "[1:9] images: " + list + "a number",
		"images:\n  count: 1\n":               "[2:8] images: " + list + "keys with values",
		"images:\n- SECRET\n":                 "[2:3] " + keys + "text",
		"rule: SECRET":                        "[1:7] rule: " + keys + "text",
		"rule:\n- count: 1":                   "[2:1] rule: " + keys + "a list",
		"rule: {count: SECRET}":               "[1:15] count: a whole number is expected, not text",
		`{"rule": {"count": "SECRET"}}`:       "[1:20] count: a whole number is expected, not text",
		"rule: {count: 66666666666666666666}": "[1:15] count: the number is too large",
		"rule: {on: SECRET}":                  "[1:12] on: true or false is expected, not text",
		"rule: {share: SECRET}":               "[1:15] share: a number is expected, not text",
		"name: a\nSECRET":                     "[2:1] KEY: VALUE is expected, with a colon and a space",
		"name: SECRET: b":                     `[1:7] name: a second ": " in one value, or the next line is indented too far; put text with a colon in quotation marks`,
		"images: [{count: 1}":                 "[1:9] images: the list that begins with [ here does not end with ]",
		"rule: {count: 1":                     "[1:7] rule: what begins with { here does not end with }",
		"name: \"SECRET":                      `[1:7] name: the closing " is missing`,
		"name: @SECRET":                       "[1:7] name: text cannot begin with this character; put it in quotation marks",
		"name: *SECRET":                       "[1:8] name: there is no anchor (&NAME) for this alias (*NAME); put text that begins with * in quotation marks",
		"\tname: SECRET":                      "[1:5] name: a line begins with a tab; indent it with spaces",
		"images:\n- count: 1\n on: SECRET":    "[3:2] on: the line is not indented like those above it",
	} {
		var d document
		if err := Decode(strings.NewReader(text), &d); err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}
