package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// sample has one of each kind of value that names can be in.
type sample struct {
	Name   string            `json:"name"`
	Tags   map[string]string `json:"tags"`
	List   []part            `json:"list"`
	Part   *part
	Raw    json.RawMessage
	Any    any
	Own    own
	ByName map[string]part `json:"byName"`
	part
}

type part struct {
	Key int            `json:"key"`
	On  map[string]any `json:"on,omitempty"`
}

// own decodes itself.
type own struct{ text string }

func (o *own) UnmarshalJSON(data []byte) error { o.text = string(data); return nil }

func TestDuplicates(t *testing.T) {
	for _, x := range []struct {
		text                string
		exact, fold, sample string // what the errors end with
	}{
		{`{}`, "", "", ""},
		{` { "name" : "a" , "list" : [ { } , {"key": -15 } ] , "any":[null , true,{ }] } `, "", "", ""},
		{`{"name":"a","tags":{"a":"1","b":"2"},"list":[{"key":1},{"key":2}],"key":3}`, "", "", ""},
		{`{"name":"a","name":"b"}`, `"name" appears twice in one object`, "same", "same"},
		{`{"name":"a","n\u0061me":"b"}`, `"name" appears twice in one object`, "same", "same"},
		{`{"\ud800":1,"\ud801":2}`, `"�" appears twice in one object`, "same", "same"},
		{`{"name":"a","Name":"b"}`, "", `"Name" appears twice in one object (first as "name")`, "same"},
		{`{"key":1,"\u212Aey":2}`, "", `"` + "\u212a" + `ey" appears twice in one object (first as "key")`, "same"},
		{`{"other":1,"OTHER":2}`, "", `appears twice in one object (first as "other")`, "same"},
		{`{"tags":{"a":"1","A":"2"}}`, "", `tags: "A" appears twice in one object (first as "a")`, ""},
		{`{"tags":{"a":"1","a":"2"}}`, `tags: "a" appears twice in one object`, "same", "same"},
		{`{"list":[{},{"key":1,"Key":2}]}`, "", `list[1]: "Key" appears twice in one object (first as "key")`, "same"},
		{`{"PART":{"on":{"x":1,"X":2}}}`, "", `PART.on: "X" appears twice in one object (first as "x")`, ""},
		{`{"part":{"on":{},"ON":{}}}`, "", `part: "ON" appears twice in one object (first as "on")`, "same"},
		{`{"byName":{"a":{},"A":{"key":1,"KEY":2}}}`, "", `byName: "A" appears twice in one object (first as "a")`, `byName.A: "KEY" appears twice in one object (first as "key")`},
		{`{"on":{"a":1,"A":{"b":1,"b":2}}}`, `on.A: "b" appears twice in one object`, `on: "A" appears twice in one object (first as "a")`, `on.A: "b" appears twice in one object`},
		{`{"any":{"a":1,"A":2},"own":{"a":1,"A":2},"raw":{"a":1,"A":2}}`, "", `any: "A" appears twice in one object (first as "a")`, ""},
		{`{"raw":{"a":1,"a":2}}`, `raw: "a" appears twice in one object`, "same", "same"},
		{`{"own":[[{"a":1,"a":2}]]}`, `own[0][0]: "a" appears twice in one object`, "same", "same"},
		{`{"a":"\"a\":1,","b\\":{"c":"}]"},"b":2}`, "", "", ""},
	} {
		if x.fold == "same" {
			x.fold = x.exact
		}
		if x.sample == "same" {
			x.sample = x.fold
		}
		for _, r := range []struct {
			how  string
			err  error
			want string
		}{{"Check", Check([]byte(x.text)), x.exact}, {"CheckFold", CheckFold([]byte(x.text)), x.fold}, {"Unmarshal", Unmarshal([]byte(x.text), new(sample)), x.sample}} {
			if (r.err == nil) != (r.want == "") || r.err != nil && !strings.HasSuffix(r.err.Error(), r.want) {
				t.Errorf("%s of %s: %v, want %q", r.how, x.text, r.err, r.want)
			}
			if strings.Contains(r.want, "twice") && !errors.Is(r.err, ErrDuplicate) {
				t.Errorf("%s of %s: %v does not wrap ErrDuplicate", r.how, x.text, r.err)
			}
		}
	}
}

func TestWhatIsNoDocument(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "it is not JSON",
		"{":                       "it is not JSON",
		"{} {}":                   "it is not JSON",
		"{\"a\":\"\xff\"}":        "it is not UTF-8",
		strings.Repeat("[", 5000): "it is not JSON",
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000):                       "nested more than 200 deep",
		strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1): "nested more than 200 deep",
	} {
		if err := Check([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v; want %q", text, err, want)
		}
	}
	if err := Check([]byte(strings.Repeat("[", maxDepth) + "1" + strings.Repeat("]", maxDepth))); err != nil {
		t.Error(err)
	}
}

// tokens is a second reader, which goes by the tokens of encoding/json.
func tokens(d *json.Decoder) error {
	begin, err := d.Token()
	if _, ok := begin.(json.Delim); err != nil || !ok {
		return err
	}
	names := map[string]bool{}
	for d.More() {
		if begin == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if names[name.(string)] {
				return ErrDuplicate
			}
			names[name.(string)] = true
		}
		if err := tokens(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// FuzzCheck compares Check with a reader that goes by tokens, and makes sure that what Unmarshal
// accepts is the same for readers that take the first of two names and those that take the last.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{
		`{"name":"a","tags":{"a":"1","A":"2"},"list":[{"key":1,"on":{"x":[1,null,{}]}}],"part":{"key":2},"key":3,"Name":"b"}`,
		`{"n\u0061me":"\\\"","n\ud83d\ude00":[[],{}],"raw":{"a":{"a":1}},"own":[{"a":1,"a":2}]}`, ` [1 ,-0.5e-3, true,"` + "\u2028" + `"]`, `{"byName":{"b":{"KEY":1}},"any":{"x":1}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Check(data)
		want := json.Valid(data) && utf8.Valid(data)
		if want {
			d := json.NewDecoder(bytes.NewReader(data))
			d.UseNumber()
			if want = tokens(d) == nil; want {
				if _, after := d.Token(); after != io.EOF {
					t.Fatalf("the tokens end early: %v", after)
				}
			}
		}
		if (err == nil) != want && (err == nil || !strings.Contains(err.Error(), "nested more")) {
			t.Fatalf("%v, want it accepted: %v", err, want)
		}
		if err != nil && (CheckFold(data) == nil || Unmarshal(data, new(sample)) == nil) {
			t.Fatalf("Check refuses (%v) what others accept", err)
		}
		if CheckFold(data) == nil && err != nil {
			t.Fatal("CheckFold accepts what Check does not")
		}
		var got, turned sample
		if Unmarshal(data, &got) != nil {
			return
		}
		got.Own, got.Raw = own{}, nil // which have the text as it is
		if err := json.Unmarshal(turn(t, data), &turned); err != nil {
			t.Fatal(err)
		}
		turned.Own, turned.Raw = own{}, nil
		if !reflect.DeepEqual(got, turned) {
			t.Fatalf("%s is read as %+v, and with its members the other way round as %+v", data, got, turned)
		}
	})
}

// turn writes a document with the members of all objects in the opposite order.
func turn(t *testing.T, data []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value func() []byte
	value = func() []byte {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := token.(json.Delim); !ok {
			text, err := json.Marshal(token)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		var items [][]byte
		for d.More() {
			item := value()
			if token == json.Delim('{') {
				item = append(append(item, ':'), value()...)
			}
			items = append(items, item)
		}
		end, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if token == json.Delim('{') {
			for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
				items[i], items[j] = items[j], items[i]
			}
		}
		return []byte(token.(json.Delim).String() + string(bytes.Join(items, []byte(","))) + end.(json.Delim).String())
	}
	return value()
}

// What people write by mistake is explained, whichever way of encoding/json has found it.
func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": 1,}`:         "remove the comma before it",
		"{\"a\": [1,\n ]}":  "remove the comma before it",
		"\ufeff{}":          "it begins with a byte order mark; save the file as UTF-8 without it",
		`{'a': 1}`:          "JSON takes double quotation marks",
		"# mine\n{}":        "JSON has no comments",
		"{ // mine\n}":      "JSON has no comments",
		`{"a": tru}`:        "invalid character",
		`{"a": 1`:           "unexpected end of JSON input",
		`{"a": "\ufeff'",}`: "remove the comma before it",
	} {
		if err := Check([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), ";") > 1 {
			t.Errorf("%q: %v", text, err)
		}
	}
}
