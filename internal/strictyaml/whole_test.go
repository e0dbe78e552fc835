package strictyaml

import (
	"strings"
	"testing"
)

func TestWholeNumbers(t *testing.T) {
	t.Parallel()
	type Inner struct {
		Latest *int64 `yaml:"latest"`
	}
	type document struct {
		Inner  `yaml:",inline"`
		Count  int              `yaml:"count"`
		Rate   float64          `yaml:"rate"`
		Text   string           `yaml:"text"`
		Matrix map[string][]int `yaml:"matrix"`
		List   []Inner          `yaml:"list"`
		At     *document        `yaml:"at"`
	}
	for _, text := range []string{
		"count: 1.0", "count: 1e3", "count: 3", "count: ~", "rate: 0.5", "rate: 1.50", "text: 1.5", "text: 1.50", "matrix: {a: [1, 2]}",
		"list: [{latest: 4}]", "latest: 2", "at: {rate: .5}", "rate: &r 0.5\nat: {rate: *r}",
	} {
		if err := Decode(strings.NewReader(text), new(document)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"count: 1.5":                       "[1:1] count",
		"text: a\ncount: 1.50":             "[2:1] count",
		`count: "0.5"`:                     "[1:1] count",
		"count: 15e-1":                     "[1:1] count",
		"matrix:\n  a: [1, 2.5]":           "[2:3] a",
		"list:\n- latest: 1\n- latest: .5": "[3:3] latest",
		"latest: 0.1":                      "[1:1] latest",
		"at: {at: {count: 7.25}}":          "[1:11] count",
		"rate: &r 0.5\nat: {count: *r}":    "[2:6] count",
		"at: &a {count: !!float 2.5}":      "[1:9] count",
		"list:\n- &a\n  latest: 2.5\n":     "[3:3] latest",
	} {
		d := new(document)
		err := Decode(strings.NewReader(text), d)
		if err == nil || err.Error() != want+": a fraction was used where a whole number is expected" || Caret(err) == "" {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
