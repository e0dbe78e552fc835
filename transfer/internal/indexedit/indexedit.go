// Package indexedit edits the JSON of an image index. What is not edited stays
// byte for byte and in its place, fields that are not known here too.
package indexedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Index is an image index or a Docker manifest list.
type Index struct {
	doc     *list
	entries *list
}

// Parse reads an index. A member "manifests" that is an array is all that it asks
// for; no name of a member may be there twice.
func Parse(data []byte) (*Index, error) {
	doc, err := parse(data, '{')
	if err != nil {
		return nil, err
	}
	i := doc.find("manifests")
	if i < 0 {
		return nil, errors.New(`has no member "manifests"`)
	}
	entries, err := parse(doc.items[i].value(), '[')
	if err != nil {
		return nil, fmt.Errorf("manifests: %w", err)
	}
	return &Index{doc, entries}, nil
}

// Bytes returns the JSON of the index.
func (x *Index) Bytes() []byte {
	x.doc.set("manifests", x.entries.bytes())
	return x.doc.bytes()
}

// Entries returns the descriptors, each as its JSON.
func (x *Index) Entries() [][]byte {
	entries := make([][]byte, len(x.entries.items))
	for i, one := range x.entries.items {
		entries[i] = one.value()
	}
	return entries
}

// Keep leaves those of the entries, by their place, for which f is true.
func (x *Index) Keep(f func(i int) bool) { x.entries.keep(f) }

// Replace puts an entry in the place of another.
func (x *Index) Replace(i int, entry []byte) { x.entries.replace(i, entry) }

// Append adds an entry in the last place, indented if the others are.
func (x *Index) Append(entry []byte) { x.entries.append("", nil, x.indented(entry)) }

// indented returns an entry with the white space of the last one.
func (x *Index) indented(entry []byte) []byte {
	if len(x.entries.items) == 0 {
		return entry
	}
	last := x.entries.items[len(x.entries.items)-1]
	lead := last.text[:last.from]
	at := bytes.LastIndexByte(lead, '\n')
	if at < 0 || !bytes.Contains(last.value(), []byte("\n")) {
		return entry
	}
	var out bytes.Buffer
	if json.Indent(&out, entry, string(lead[at+1:]), "  ") != nil {
		return entry
	}
	return out.Bytes()
}

// Annotate edits the annotations of the index.
func (x *Index) Annotate(set map[string]string, remove []string) error {
	return annotate(x.doc, set, remove)
}

// Annotate edits the annotations of an entry and returns it.
func Annotate(entry []byte, set map[string]string, remove []string) ([]byte, error) {
	doc, err := parse(entry, '{')
	if err != nil {
		return nil, err
	}
	if err := annotate(doc, set, remove); err != nil {
		return nil, err
	}
	return doc.bytes(), nil
}

// Set returns an entry with a member set to value, which is JSON.
func Set(entry []byte, key string, value []byte) ([]byte, error) {
	doc, err := parse(entry, '{')
	if err != nil {
		return nil, err
	}
	doc.set(key, value)
	return doc.bytes(), nil
}

// SetPlatform returns an entry with fields of its platform set to their values; "" removes
// one.
func SetPlatform(entry []byte, fields map[string]string) ([]byte, error) {
	doc, err := parse(entry, '{')
	if err != nil {
		return nil, err
	}
	set, remove := map[string]string{}, []string{}
	for key, value := range fields {
		if value == "" {
			remove = append(remove, key)
		} else {
			set[key] = value
		}
	}
	err = editStrings(doc, "platform", func(data []byte) (*list, error) { return parse(data, '{') }, set, remove)
	return doc.bytes(), err
}

func annotate(doc *list, set map[string]string, remove []string) error {
	return editStrings(doc, "annotations", parseMap, set, remove)
}

// editStrings edits the members of a member; one that gets empty is removed.
func editStrings(doc *list, member string, parse func([]byte) (*list, error), set map[string]string, remove []string) error {
	value := []byte("{}")
	at := doc.find(member)
	if at >= 0 && string(doc.items[at].value()) != "null" {
		value = doc.items[at].value()
	}
	inner, err := parse(value)
	if err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	inner.keep(func(i int) bool { return !slices.Contains(remove, inner.items[i].key) })
	for _, key := range slices.Sorted(maps.Keys(set)) {
		inner.set(key, quote(set[key]))
	}
	if len(inner.items) > 0 {
		doc.set(member, inner.bytes())
	} else if at >= 0 {
		doc.keep(func(i int) bool { return i != at })
	}
	return nil
}

func quote(s string) []byte {
	data, _ := json.Marshal(s) // a string always can be
	return data
}
