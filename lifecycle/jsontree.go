package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// node is a value of a JSON text that knows where it is in it.
type node struct {
	value  any // nil, bool, string, json.Number, []node or []member
	offset int // of its first byte
}

type member struct {
	name   string
	offset int
	value  node
}

// kind is the kind of value in words, for messages.
func (n node) kind() string {
	switch n.value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case []node:
		return "a list"
	}
	return "an object"
}

// maxNesting is how deep a JSON text may be; a policy needs 6.
const maxNesting = 32

var errNested = errors.New("it is nested too deeply")

// syntaxError is why a text is no JSON.
type syntaxError struct {
	offset int
	error
}

// parseTree reads the one JSON value that is text.
func parseTree(text []byte) (node, error) {
	if !utf8.Valid(text) {
		return node{}, syntaxError{0, errors.New("it is not UTF-8")}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	t := treeParser{d, text}
	n, err := t.value(0)
	if err == nil {
		if _, after := d.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("there is more after the object")
		}
	}
	if err != nil {
		offset := int(d.InputOffset())
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset, err = int(syntax.Offset)-1, strictjson.Explain(text, err)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return node{}, syntaxError{offset, err}
	}
	return n, nil
}

type treeParser struct {
	*json.Decoder
	text []byte
}

// next is the offset of the next token.
func (t treeParser) next() int {
	offset := int(t.InputOffset())
	return offset + len(t.text[offset:]) - len(bytes.TrimLeft(t.text[offset:], " \t\r\n:,"))
}

func (t treeParser) value(depth int) (node, error) {
	if depth > maxNesting {
		return node{}, errNested
	}
	n := node{offset: t.next()}
	token, err := t.Token()
	if err != nil {
		return node{}, err
	}
	n.value = token
	switch token {
	case json.Delim('['):
		list := []node{}
		for t.More() {
			item, err := t.value(depth + 1)
			if err != nil {
				return n, err
			}
			list = append(list, item)
		}
		n.value = list
	case json.Delim('{'):
		members := []member{}
		for t.More() {
			m := member{offset: t.next()}
			name, err := t.Token()
			if err != nil {
				return n, err
			}
			m.name = name.(string)
			if m.value, err = t.value(depth + 1); err != nil {
				return n, err
			}
			members = append(members, m)
		}
		n.value = members
	default:
		return n, nil
	}
	if _, err := t.Token(); err != nil { // the end of the list or object
		return n, err
	}
	return n, nil
}

// position is the line and column, from 1, of an offset.
func position(text []byte, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// wrongKind reports what a value must be and is not.
func wrongKind(n node, want string) string {
	if n.value == nil {
		return fmt.Sprintf("must be %s, not null; leave the field out instead", want)
	}
	return fmt.Sprintf("must be %s, not %s", want, n.kind())
}
