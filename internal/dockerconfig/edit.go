package dockerconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

const (
	helpersKey = "credHelpers"
	authsKey   = "auths"
)

// decoded is the document as docker reads it.
type decoded struct {
	CredHelpers map[string]string          `json:"credHelpers"`
	CredsStore  string                     `json:"credsStore"`
	Auths       map[string]json.RawMessage `json:"auths"`
}

func (f *File) decode() (d decoded, err error) {
	if err = json.Unmarshal(f.text, &d); err != nil {
		err = fmt.Errorf("%s is no docker configuration: %w", f.path, err)
	}
	return d, err
}

// Helper is the credential helper of a host; "" without one.
func (f *File) Helper(host string) (string, error) {
	d, err := f.decode()
	return d.CredHelpers[host], err
}

// CredsStore is the credential helper of all other hosts; "" without one.
func (f *File) CredsStore() (string, error) {
	d, err := f.decode()
	return d.CredsStore, err
}

// SetHelper makes helper the credential helper of a host.
func (f *File) SetHelper(host, helper string) (changed bool, err error) {
	if now, err := f.Helper(host); err != nil || now == helper {
		return false, err
	}
	return true, f.set(helpersKey, host, hujson.String(helper))
}

// RemoveHelper removes the entry of a host if it names helper. Without another
// entry credHelpers goes too.
func (f *File) RemoveHelper(host, helper string) (changed bool, err error) {
	if now, err := f.Helper(host); err != nil || now != helper {
		return false, err
	}
	root, section, err := f.section(helpersKey)
	if err != nil {
		return false, err
	}
	remove(section.Value.(*hujson.Object), host)
	if len(section.Value.(*hujson.Object).Members) == 0 {
		remove(root, section.Name.Value.(hujson.Literal).String())
	}
	f.text = pack(f.text, root)
	return true, nil
}

// SetAuth stores a user and password for a host, in plain text as docker does. Save then takes the file from
// everybody but its owner.
func (f *File) SetAuth(host, username, password string) error {
	if _, err := f.decode(); err != nil {
		return err
	}
	auth, err := json.Marshal(map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(username + ":" + password))})
	if err != nil {
		return err
	}
	value, err := hujson.Parse(auth)
	if err != nil {
		return err
	}
	f.secret = true
	return f.set(authsKey, host, value.Value)
}

// member is a member of an object with its place.
type member struct {
	*hujson.ObjectMember
	Value hujson.ValueTrimmed
}

// section finds an object of the document by the name that docker reads; the
// case of it does not matter to docker.
func (f *File) section(key string) (root *hujson.Object, found *member, err error) {
	if root, err = parse(f.text); err != nil {
		return nil, nil, err
	}
	for i := range root.Members {
		m := &root.Members[i]
		name := m.Name.Value.(hujson.Literal).String()
		if !strings.EqualFold(name, key) {
			continue
		}
		if found != nil {
			return nil, nil, fmt.Errorf("%s has %s more than once; leave one", f.path, key)
		}
		found = &member{m, m.Value.Value}
	}
	if found == nil {
		return root, nil, nil
	}
	if _, ok := found.Value.(*hujson.Object); !ok {
		return nil, nil, fmt.Errorf("%s: %s is not an object", f.path, key)
	}
	return root, found, nil
}

// set sets the value of a member of a section.
func (f *File) set(section, key string, value hujson.ValueTrimmed) error {
	root, at, err := f.section(section)
	if err != nil {
		return err
	}
	unit, newline := indentation(f.text)
	if at == nil {
		inner := &hujson.Object{}
		insert(inner, key, value, newline+unit+unit, newline+unit)
		insert(root, section, inner, newline+unit, newline)
	} else {
		object := at.Value.(*hujson.Object)
		if existing := find(object, key); existing != nil {
			existing.Value.Value = value
		} else {
			insert(object, key, value, newline+unit+unit, newline+unit)
		}
	}
	text := pack(f.text, root)
	if !json.Valid(text) {
		return errors.New(f.path + ": the change would not be JSON")
	}
	f.text = text
	return nil
}

func find(object *hujson.Object, key string) *hujson.ObjectMember {
	for i := range object.Members {
		if object.Members[i].Name.Value.(hujson.Literal).String() == key {
			return &object.Members[i]
		}
	}
	return nil
}

// insert appends a member formatted like the existing ones: before is the
// white space before the first of them, after that before the closing brace.
func insert(object *hujson.Object, key string, value hujson.ValueTrimmed, before, after string) {
	m := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: hujson.Extra(before), Value: hujson.String(key)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: value},
	}
	if n := len(object.Members); n > 0 {
		last := object.Members[n-1]
		m.Name.BeforeExtra = bytes.Clone(last.Name.BeforeExtra)
		m.Value.BeforeExtra = bytes.Clone(last.Value.BeforeExtra)
		// What stood before the brace moves there again behind the new member.
		m.Value.AfterExtra = last.Value.AfterExtra
		object.Members[n-1].Value.AfterExtra = nil
	} else {
		object.AfterExtra = hujson.Extra(after)
	}
	object.Members = append(object.Members, m)
}

// remove takes a member out, with the white space before it.
func remove(object *hujson.Object, key string) {
	kept := object.Members[:0]
	for _, m := range object.Members {
		if m.Name.Value.(hujson.Literal).String() != key {
			kept = append(kept, m)
		}
	}
	if object.Members = kept; len(kept) == 0 {
		object.AfterExtra = nil
	}
}

// pack writes the document with the white space that stood around it.
func pack(text []byte, root *hujson.Object) []byte {
	value, err := hujson.Parse(text)
	if err != nil {
		return text // parsed before
	}
	value.Value = root
	return value.Pack()
}

// indentation finds the unit of indentation and the line end of a document;
// docker's own, a tab, if it has none.
func indentation(text []byte) (unit, newline string) {
	first, rest, many := bytes.Cut(text, []byte("\n"))
	if !many {
		if len(bytes.TrimSpace(text)) > len("{}") {
			return "", "" // all on one line
		}
		return "\t", "\n"
	}
	newline = "\n"
	if bytes.HasSuffix(first, []byte("\r")) {
		newline = "\r\n"
	}
	unit = string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
	if unit == "" {
		unit = "\t"
	}
	return unit, newline
}
