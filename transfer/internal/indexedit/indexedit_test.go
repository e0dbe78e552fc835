package indexedit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const pretty = `{
   "schemaVersion": 2,
   "x-unknown": {"b": 1.00, "a": "\u003c"},
   "manifests": [
      {"digest": "sha256:1",  "x": [ ]},
      {"digest": "sha256:2", "annotations": {"k": "v", "l":"w"}},
      {"digest": "sha256:3", "platform": {"os":"linux", "architecture":"arm", "features":["sse4"]}}
   ],
   "annotations": { "one": "1" }
}
`

func mustParse(t *testing.T, s string) *Index {
	t.Helper()
	x, err := Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestUnchanged(t *testing.T) {
	for _, s := range []string{pretty, `{"manifests":[]}`, ` {"manifests" : [ ] } `, `{"manifests":[1,2 , "x"],"a":null}`} {
		if got := string(mustParse(t, s).Bytes()); got != s {
			t.Errorf("got %s\nwant %s", got, s)
		}
	}
}

func TestEdits(t *testing.T) {
	tests := []struct {
		name     string
		edit     func(x *Index) error
		old, new string // what is replaced in pretty
	}{
		{"keep", func(x *Index) error { x.Keep(func(i int) bool { return i != 1 }); return nil },
			`
      {"digest": "sha256:2", "annotations": {"k": "v", "l":"w"}},`, ``},
		{"keep without the last", func(x *Index) error { x.Keep(func(i int) bool { return i < 2 }); return nil },
			`,
      {"digest": "sha256:3", "platform": {"os":"linux", "architecture":"arm", "features":["sse4"]}}`, ``},
		{"append", func(x *Index) error { x.Append([]byte(`{"new":1}`)); return nil },
			`"features":["sse4"]}}`, `"features":["sse4"]}},
      {"new":1}`},
		{"replace", func(x *Index) error { x.Replace(0, []byte(`{}`)); return nil },
			`{"digest": "sha256:1",  "x": [ ]}`, `{}`},
		{"annotate", func(x *Index) error { return x.Annotate(map[string]string{"b": "<&>\"", "a": "1", "one": "2"}, nil) },
			`{ "one": "1" }`, `{ "one": "2", "a": "1", "b": "\u003c\u0026\u003e\"" }`},
		{"remove the last annotation", func(x *Index) error { return x.Annotate(nil, []string{"one", "none"}) },
			`,
   "annotations": { "one": "1" }`, ``},
		{"set", func(x *Index) error {
			e, err := Set(x.Entries()[1], "platform", []byte(`{"os":"linux"}`))
			x.Replace(1, e)
			return err
		}, `"l":"w"}}`, `"l":"w"}, "platform": {"os":"linux"}}`},
		{"annotate an entry", func(x *Index) error {
			e, err := Annotate(x.Entries()[1], map[string]string{"m": "n"}, []string{"k"})
			x.Replace(1, e)
			return err
		}, `{"k": "v", "l":"w"}`, `{ "l":"w", "m":"n"}`},
		{"platform of an entry", func(x *Index) error {
			e, err := SetPlatform(x.Entries()[2], map[string]string{"variant": "v6", "os.version": "", "architecture": "arm64"})
			x.Replace(2, e)
			return err
		}, `"architecture":"arm", "features":["sse4"]}`, `"architecture":"arm64", "features":["sse4"], "variant":"v6"}`},
	}
	for _, tt := range tests {
		x := mustParse(t, pretty)
		if err := tt.edit(x); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !strings.Contains(pretty, tt.old) {
			t.Fatalf("%s: the test is wrong", tt.name)
		}
		want := strings.Replace(pretty, tt.old, tt.new, 1)
		if got := string(x.Bytes()); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}
}

func TestAppendIndented(t *testing.T) {
	x := mustParse(t, "{\n  \"manifests\": [\n    {\n      \"a\": 1\n    }\n  ]\n}")
	x.Append([]byte(`{"b":{"c":[1]}}`))
	want := "{\n  \"manifests\": [\n    {\n      \"a\": 1\n    },\n    {\n      \"b\": {\n        \"c\": [\n          1\n        ]\n      }\n    }\n  ]\n}"
	if got := string(x.Bytes()); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for s, want := range map[string]string{
		``:                                     "unexpected EOF",
		`[]`:                                   "not a JSON object",
		`{}`:                                   `no member "manifests"`,
		`{"manifests":{}}`:                     "manifests: not a JSON array",
		`{"manifests":null}`:                   "manifests: not a JSON array",
		`{"manifests":[],"manifests":[]}`:      `the member "manifests" twice`,
		`{"manifests":[],"Manifests":[]}`:      `the member "Manifests" twice`,
		`{"manifests":[],"manife\u017fts":[]}`: "twice",
		`{"manifests":[]} {}`:                  "more after its JSON value",
		`{"manifests":[1,]}`:                   "invalid character",
		`{"manifests":[1`:                      "unexpected EOF",
	} {
		if _, err := Parse([]byte(s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", s, err, want)
		}
	}
	for _, s := range []string{`[]`, `{"annotations":[]}`, `{"annotations":{"a":"","a":""}}`} {
		if _, err := Annotate([]byte(s), map[string]string{"k": "v"}, nil); err == nil {
			t.Errorf("Annotate %s: no error", s)
		}
	}
}

// TestCase has names that differ in case only: they are one field, but two
// annotations.
func TestCase(t *testing.T) {
	got, err := Annotate([]byte(`{"Annotations":{"a":"1","A":"2"}}`), map[string]string{"A": "3"}, nil)
	if want := `{"Annotations":{"a":"1","A":"3"}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	got, err = SetPlatform([]byte(`{"platform":{"OS":"linux"}}`), map[string]string{"os": "darwin"})
	if want := `{"platform":{"OS":"darwin"}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

// FuzzEdit edits an index: what was not edited must be there byte for byte.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(pretty), "k", "v", uint8(1))
	f.Add([]byte(`{"manifests":[]}`), "", "\xff", uint8(0))
	f.Add([]byte(`{"manifests" : [ {"annotations":null} , 2 ] , "annotations" : null }`), "annotations", "", uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, key, value string, n uint8) {
		x, err := Parse(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatal("it was no JSON")
		}
		if got := x.Bytes(); !bytes.Equal(got, data) {
			t.Fatalf("unchanged, got %q", got)
		}
		before := x.Entries()
		at := int(n)
		if at < len(before) {
			if e, err := Annotate(before[at], map[string]string{key: value}, []string{value}); err == nil {
				x.Replace(at, e)
			}
			if e, err := SetPlatform(before[at], map[string]string{key: value}); err == nil {
				x.Replace(at, e)
			}
		}
		x.Append([]byte(`{"new":1}`))
		if err := x.Annotate(map[string]string{key: value}, nil); err == nil {
			if err := x.Annotate(nil, []string{key}); err != nil {
				t.Fatal(err)
			}
		}
		y, err := Parse(x.Bytes())
		if err != nil {
			t.Fatalf("%v: %q", err, x.Bytes())
		}
		after := y.Entries()
		if len(after) != len(before)+1 {
			t.Fatalf("%d entries, were %d", len(after), len(before))
		}
		for i, e := range before {
			if i != at && !bytes.Equal(after[i], e) {
				t.Fatalf("entry %d is %q, was %q", i, after[i], e)
			}
		}
		y.Keep(func(i int) bool { return i != at && i < len(before) })
		if at < len(before) {
			before = slices.Delete(before, at, at+1)
		}
		if after := y.Entries(); !slices.EqualFunc(after, before, bytes.Equal) {
			t.Fatalf("kept %q of %q", after, before)
		}
		if out := y.Bytes(); !json.Valid(out) {
			t.Fatalf("not JSON: %q", out)
		}
	})
}
