// Package strictjson reads JSON documents that decide something: what is signed, what a gate lets
// pass, who may pull, what is deleted. Two programs must not read such a document differently, so it
// is refused if it is not UTF-8 or if an object has a name twice: encoding/json takes the last of
// two, other readers the first.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists may be nested.
const maxDepth = 200

// ErrDuplicate is wrapped by the error about an object that has a name twice.
var ErrDuplicate = errors.New("appears twice in one object")

// Check returns an error unless data is one JSON value in UTF-8 in which no object has a name twice.
// Names are compared as they are decoded: "a" and "\u0061" are the same. The caller bounds data.
func Check(data []byte) error { return check(data, nil, exact) }

// CheckFold is Check for a document whose readers do not distinguish case: "Action" and "action" are
// the same name.
func CheckFold(data []byte) error { return check(data, nil, fold) }

// Unmarshal is Check and [json.Unmarshal]. In an object that is read into a struct two names are also
// the same if they differ in case only, because encoding/json reads both into one field; in a map,
// whose names are data, they are not.
func Unmarshal(data []byte, v any) error {
	if err := check(data, reflect.TypeOf(v), exact); err != nil {
		return err
	}
	return ExplainType(json.Unmarshal(data, v))
}

// Explain adds to an error of encoding/json about the syntax of data what people write by mistake: a
// comma after the last element, a byte order mark, single quotation marks, comments.
func Explain(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(data)) {
		return err
	}
	const space = " \t\r\n"
	before, rest := bytes.TrimRight(data[:syntax.Offset-1], space), bytes.TrimLeft(data[syntax.Offset-1:], space)
	if len(rest) == 0 {
		return err
	}
	switch c := rest[0]; {
	case (c == '}' || c == ']') && bytes.HasSuffix(before, []byte(",")):
		return fmt.Errorf("%w; remove the comma before it", err)
	case bytes.HasPrefix(data, []byte("\ufeff")) && syntax.Offset == 1:
		return errors.New("it begins with a byte order mark; save the file as UTF-8 without it")
	case c == '\'':
		return fmt.Errorf("%w; JSON takes double quotation marks", err)
	case c == '#' || c == '/':
		return fmt.Errorf("%w; JSON has no comments", err)
	}
	return err
}

// skipped is a JSON value of which only the syntax counts. A json.RawMessage would be a copy of it.
type skipped struct{}

// UnmarshalJSON takes every value.
func (*skipped) UnmarshalJSON([]byte) error { return nil }

func check(data []byte, t reflect.Type, same func(string) string) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	if err := json.Unmarshal(data, new(skipped)); err != nil {
		return fmt.Errorf("it is not JSON: %w", Explain(data, err))
	}
	w := walker{data: data, same: same}
	err := w.value(t, 0)
	var twice *duplicate
	if errors.As(err, &twice) {
		twice.path = strings.TrimPrefix(twice.path, ".")
	}
	return err
}

// duplicate is a name that is in an object twice.
type duplicate struct {
	path        string // of the object
	first, name string
}

func (d *duplicate) Unwrap() error { return ErrDuplicate }

func (d *duplicate) Error() string {
	text := fmt.Sprintf("%.100q %v", d.name, ErrDuplicate)
	if d.first != d.name {
		text += fmt.Sprintf(" (first as %.100q)", d.first)
	}
	if d.path != "" {
		text = fmt.Sprintf("%.300s: %s", d.path, text)
	}
	return text
}

// walker goes through a document that is known to be JSON.
type walker struct {
	data []byte
	at   int
	same func(string) string // equal for names that are the same, of all objects
}

// value walks over the value at w.at. t is the type into which it is decoded, or nil.
func (w *walker) value(t reflect.Type, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("its JSON is nested more than %d deep", maxDepth)
	}
	t = decodedAs(t)
	switch w.peek() {
	case '{':
		return w.object(t, depth)
	case '[':
		return w.list(t, depth)
	case '"':
		w.text()
	default:
		for w.at < len(w.data) && !ends(w.data[w.at]) {
			w.at++
		}
	}
	return nil
}

func (w *walker) object(t reflect.Type, depth int) error {
	same, fields := w.same, map[string]reflect.Type(nil)
	var element reflect.Type
	switch {
	case t == nil:
	case t.Kind() == reflect.Struct:
		same, fields = fold, fieldsOf(t)
	case t.Kind() == reflect.Map:
		element = t.Elem()
	}
	seen := map[string]string{}
	for w.at++; w.peek() != '}'; {
		if w.data[w.at] == ',' {
			w.at++
			w.peek()
		}
		name := w.text()
		key := same(name)
		if first, ok := seen[key]; ok {
			return &duplicate{first: first, name: name}
		}
		seen[key] = name
		if fields != nil {
			element = fields[key]
		}
		w.peek()
		w.at++ // the colon
		if err := w.value(element, depth+1); err != nil {
			return under("."+name, err)
		}
	}
	w.at++
	return nil
}

func (w *walker) list(t reflect.Type, depth int) error {
	var element reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		element = t.Elem()
	}
	n := 0
	for w.at++; w.peek() != ']'; n++ {
		if w.data[w.at] == ',' {
			w.at++
		}
		if err := w.value(element, depth+1); err != nil {
			return under(fmt.Sprintf("[%d]", n), err)
		}
	}
	w.at++
	return nil
}

// under adds the step to an object to its path.
func under(step string, err error) error {
	var twice *duplicate
	if errors.As(err, &twice) {
		twice.path = step + twice.path
	}
	return err
}

// peek returns the next byte that is not white space, and is at it afterwards.
func (w *walker) peek() byte {
	for isSpace(w.data[w.at]) {
		w.at++
	}
	return w.data[w.at]
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// ends reports whether c is behind a number, true, false or null.
func ends(c byte) bool { return c == ',' || c == ']' || c == '}' || isSpace(c) }

// text walks over the string at w.at and returns it as it is decoded.
func (w *walker) text() string {
	start := w.at
	escaped := false
	for w.at++; w.data[w.at] != '"'; w.at++ {
		if w.data[w.at] == '\\' {
			escaped = true
			w.at++
		}
	}
	w.at++
	if !escaped {
		return string(w.data[start+1 : w.at-1])
	}
	var s string
	_ = json.Unmarshal(w.data[start:w.at], &s) // it is known to be JSON
	return s
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// decodedAs is the type behind pointers; nil if what is in it is not known, as it decodes itself.
func decodedAs(t reflect.Type) reflect.Type {
	for t != nil {
		if t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// fieldsOfTypes has what fieldsOf found, as encoding/json keeps it: a map[string]reflect.Type for
// each reflect.Type.
var fieldsOfTypes sync.Map

// fieldsOf returns the types of the fields of a struct by their names as fold makes them.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if fields, ok := fieldsOfTypes.Load(t); ok {
		return fields.(map[string]reflect.Type)
	}
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && !f.Anonymous {
			name = f.Name
		}
		if _, ok := fields[fold(name)]; !ok && name != "" {
			fields[fold(name)] = f.Type
		}
	}
	fieldsOfTypes.Store(t, fields)
	return fields
}

func exact(s string) string { return s }

// fold returns the same for all names that encoding/json takes for one field.
func fold(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return strings.ToUpper(s) // of the letters that are the same, A is before a
	}
	return strings.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return next // the smallest of those that are the same
			}
			r = next
		}
	}, s)
}
