package indexedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// list is a JSON object or array as its text: what is not edited is given back
// byte for byte.
type list struct {
	name   func(key string) string // equal for members that are the same
	before []byte                  // up to and with the opening bracket
	items  []item
	empty  []byte // between the brackets if there are no items
	after  []byte // from the closing bracket on
}

// item is a member of an object or an element of an array.
type item struct {
	key      string // of a member
	text     []byte // all between two of the delimiters, white space too
	from, to int    // where in text the value is
}

func (i item) value() []byte { return i.text[i.from:i.to] }

// parse reads an object or an array, as kind says with its opening bracket. Two
// members with the same name, or one that [encoding/json] takes for the same, are
// an error: one reader would take the first, another the second.
func parse(data []byte, kind json.Delim) (*list, error) {
	return parseList(data, kind, fold)
}

// parseMap is parse for an object whose names are data, in which case counts.
func parseMap(data []byte) (*list, error) {
	return parseList(data, '{', func(s string) string { return s })
}

// fold returns the same for all names that encoding/json takes for one field.
func fold(s string) string {
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

func parseList(data []byte, kind json.Delim, name func(string) string) (*list, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	open, err := d.Token()
	if err != nil {
		return nil, noEOF(err)
	}
	if open != kind {
		return nil, fmt.Errorf("not a JSON %s", map[json.Delim]string{'{': "object", '[': "array"}[kind])
	}
	at := int(d.InputOffset()) // after the last delimiter
	l := &list{before: data[:at], name: name}
	known := map[string]bool{}
	for d.More() {
		var one item
		if kind == '{' {
			key, err := d.Token()
			if err != nil {
				return nil, noEOF(err)
			}
			one.key = key.(string)
			if known[name(one.key)] {
				return nil, fmt.Errorf("has the member %q twice", one.key)
			}
			known[name(one.key)] = true
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, noEOF(err)
		}
		end := int(d.InputOffset())
		next := end + len(data[end:]) - len(bytes.TrimLeft(data[end:], " \t\r\n")) // the delimiter after the value
		one.text, one.to = data[at:next], end-at
		one.from = one.to - len(value)
		l.items = append(l.items, one)
		at = next + 1
	}
	if _, err := d.Token(); err != nil {
		return nil, noEOF(err)
	}
	end := int(d.InputOffset()) - 1
	if len(l.items) == 0 {
		l.empty = data[at:end]
	}
	l.after = data[end:]
	if rest := bytes.TrimLeft(l.after[1:], " \t\r\n"); len(rest) > 0 {
		return nil, errors.New("has more after its JSON value")
	}
	return l, nil
}

// noEOF makes the end in the middle of a value an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (l *list) bytes() []byte {
	out := bytes.Clone(l.before)
	if len(l.items) == 0 {
		out = append(out, l.empty...)
	}
	for i, one := range l.items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, one.text...)
	}
	return append(out, l.after...)
}

// find returns the place of a member, -1 if there is none.
func (l *list) find(key string) int {
	for i, one := range l.items {
		if l.name(one.key) == l.name(key) {
			return i
		}
	}
	return -1
}

// replace sets the value of the item at i.
func (l *list) replace(i int, value []byte) {
	one := l.items[i]
	text := append(bytes.Clone(one.text[:one.from]), value...)
	to := len(text)
	l.items[i] = item{one.key, append(text, one.text[one.to:]...), one.from, to}
}

// set sets the value of a member; a new one comes last.
func (l *list) set(key string, value []byte) {
	if i := l.find(key); i >= 0 {
		l.replace(i, value)
		return
	}
	name, _ := json.Marshal(key) // a string always can be
	colon := []byte(":")
	if len(l.items) > 0 && bytes.Contains(l.items[len(l.items)-1].text, []byte("\": ")) {
		colon = []byte(": ")
	}
	l.append(key, append(name, colon...), value)
}

// append adds an item in the last place, with the white space of the one before.
func (l *list) append(key string, name, value []byte) {
	var lead, trail []byte
	if n := len(l.items); n > 0 {
		last := &l.items[n-1]
		lead = last.text[:len(last.text)-len(bytes.TrimLeft(last.text, " \t\r\n"))]
		trail = last.text[last.to:]
		last.text = last.text[:last.to:last.to]
	}
	text := append(bytes.Clone(lead), name...)
	from := len(text)
	text = append(text, value...)
	l.items = append(l.items, item{key, append(text, trail...), from, from + len(value)})
}

// keep leaves the items for which f is true.
func (l *list) keep(f func(i int) bool) {
	var kept []item
	for i, one := range l.items {
		if f(i) {
			kept = append(kept, one)
		}
	}
	if n := len(kept); n > 0 && n < len(l.items) {
		// White space before the closing bracket stays there.
		end := l.items[len(l.items)-1]
		last := kept[n-1]
		kept[n-1].text = append(bytes.Clone(last.text[:last.to]), end.text[end.to:]...)
	}
	l.items = kept
}
