package strictyaml

import (
	"fmt"
	"strings"
	"testing"
)

type sample struct {
	Name string            `yaml:"name"`
	List []string          `yaml:"list"`
	Map  map[string]sample `yaml:"map"`
}

func TestDecode(t *testing.T) {
	var s sample
	if err := Decode(strings.NewReader("name: a\nlist: [b]\n"), &s); err != nil || s.Name != "a" || s.List[0] != "b" {
		t.Errorf("%+v %v", s, err)
	}
	if err := Decode(strings.NewReader(`{"name":"j"}`), &s); err != nil || s.Name != "j" {
		t.Errorf("%+v %v", s, err)
	}
	if err := Decode(strings.NewReader(""), &s); err != nil {
		t.Error(err)
	}
	if err := Decode(strings.NewReader("---\nname: a\n"), &s); err != nil {
		t.Error(err)
	}
	if err := Decode(strings.NewReader("name: a\n---\nname: b\n"), &s); err == nil || !strings.Contains(err.Error(), "more than one") {
		t.Errorf("a second document: %v", err)
	}
	for text, want := range map[string]string{"name: a\nnmae: b\n": "[2:1]", "name: [": "[1:7] name: ", "[1]": "", "map:\n  x:\n    list: 3\n": "[3:11] list: a list ([A, B], or lines that begin with \"- \") is expected, not a number",
		"name: {a: b}\n": "[1:7] name: text is expected, not keys with values", "name: [a]\n": "[1:7] name: text is expected, not a list"} {
		if err := Decode(strings.NewReader(text), &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	// Two of one name: a reader takes either.
	for _, text := range []string{"name: a\nname: b\n", `{"name":"a","n\u0061me":"b"}`, "map: {x: {}, 'x': {}}\n"} {
		if err := Decode(strings.NewReader(text), &s); err == nil || !strings.Contains(err.Error(), "already defined at") {
			t.Errorf("%q: %v", text, err)
		}
	}
	// What is written in the wrong place may be a password.
	for _, text := range []string{"name: a\npassword: SECRET\n", "nmae: a\nlist: [SECRET]\n", "list: SECRET\n", "map: {x: SECRET}\n", "name: [SECRET\n", "password = SECRET\n"} {
		if err := Decode(strings.NewReader(text), &s); err == nil || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
	var list []sample
	if err := Decode(strings.NewReader("! {a}"), &list); err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("a document on which the parser panics: %v", err)
	}
}

// TestDecodeDepth has documents of a few kilobytes for which the parser takes gigabytes.
func TestDecodeDepth(t *testing.T) {
	for _, text := range []string{strings.Repeat("[", 50_000), strings.Repeat(`{"map":`, 50_000), "list:\n  " + strings.Repeat("- ", 50_000)} {
		var s sample
		if err := Decode(strings.NewReader(text), &s); err == nil || !strings.Contains(err.Error(), "nested more than") {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
	var s sample
	if err := Decode(strings.NewReader("list:\n"+strings.Repeat("  - '['\n  - ']'\n", 2*maxDepth)), &s); err != nil || len(s.List) != 4*maxDepth {
		t.Errorf("%d entries, %v", len(s.List), err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("name: a\nlist: [b]\nmap: {x: {name: y}}\n")
	f.Add("! {a}")
	f.Add("a: &x [*x]")
	f.Fuzz(func(t *testing.T, text string) {
		var s sample
		_ = Decode(strings.NewReader(text), &s)
		var list []sample
		_ = Decode(strings.NewReader(text), &list)
	})
}

// TestDecodeNumbers has values that look like numbers: a tag, a version, an account. Text gets them as they are written.
func TestDecodeNumbers(t *testing.T) {
	type account string
	var v struct {
		Text     []string       `yaml:"text"`
		Accounts []account      `yaml:"accounts"`
		Pointer  *string        `yaml:"pointer"`
		Keys     map[string]int `yaml:"keys"`
		Any      any            `yaml:"any"`
		Int      int            `yaml:"int"`
		Float    []float64      `yaml:"float"`
		Same     []string       `yaml:"same"`
	}
	err := Decode(strings.NewReader(`
text: [1.10, 2024.10, 012345670123, 012345678901, 1_000, 0x1f, 0o17, 0b1, 1.0, .5, +1, 1e3, "1.10", 20, -3, 7.5, 1.2.3]
accounts: [012345670123]
pointer: 1.10 # with a comment
keys: {1.10: 1, 012345670123: 2}
any: {AWS: 012345670123, count: 7}
int: 20
float: [7.0, 7.50, 9, .5]
same: [&tag 1.10, *tag]
`), &v)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(v.Text, v.Accounts, *v.Pointer, v.Keys, v.Any, v.Int, v.Float, v.Same)
	want := "[1.10 2024.10 012345670123 012345678901 1_000 0x1f 0o17 0b1 1.0 .5 +1 1e3 1.10 20 -3 7.5 1.2.3]" +
		" [012345670123] 1.10 map[012345670123:2 1.10:1] map[AWS:012345670123 count:7] 20 [7 7.5 9 0.5] [1.10 1.10]\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	for _, text := range []string{"int: 0x1f\n", "int: 0b1\n", "float: [0x1f]\n"} {
		if err := Decode(strings.NewReader(text), &v); err == nil || !strings.HasPrefix(err.Error(), "[1:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A key that is known in another part of the file is not suggested for itself, and an error about a value names its key and
// no type of Go.
func TestMisplacedKeysAndValues(t *testing.T) {
	type document struct {
		Registry string `yaml:"registry"`
		Scanning struct {
			Filters []string `yaml:"filters"`
		} `yaml:"scanning"`
		Rules []struct {
			RepositoryFilters []string `yaml:"repositoryFilters"`
			Count             int      `yaml:"count"`
		} `yaml:"rules"`
	}
	for text, want := range map[string]string{
		"rules: [{filters: [a]}]":                 `[1:10] rules: unknown field "filters"`,
		"registry:\n  replication:\n    rules: 1": `[2:14] registry: text is expected, not keys with values`,
		"rules:\n  - count: many":                 `[2:12] count: a whole number is expected, not text`,
	} {
		var d document
		if err := Decode(strings.NewReader(text), &d); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
