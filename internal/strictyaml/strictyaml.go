// Package strictyaml reads configuration that people write: YAML, or JSON, in which a key that is not
// known is an error with its line.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/nearest"
)

// maxDepth bounds how deep values are nested: the parser takes memory by the square.
const maxDepth = 1000

// checkDepth refuses documents that no person writes. It counts the brackets that are
// not closed, and the hyphens of lists in lists on one line, wherever they are.
func checkDepth(document []byte) error {
	depth, hyphens := 0, 0
	for i, c := range document {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		case '\n':
			hyphens = 0
		case ' ', '\t':
			if i > 0 && document[i-1] == '-' {
				hyphens++
			}
		}
		if depth > maxDepth || hyphens > maxDepth {
			return fmt.Errorf("the YAML is nested more than %d deep", maxDepth)
		}
	}
	return nil
}

// withoutSource is an error of the parser without the lines around its place, in which there may be a
// password.
type withoutSource struct {
	error
	document []byte
	keys     []string // that may be in it
}

func (e withoutSource) Unwrap() error { return e.error }

var (
	placeAndText = lazyregexp.New(`^\[(\d+):(\d+)\] `)
	keyBefore    = lazyregexp.New(`(?:^|[\s{,["'])([A-Za-z_][A-Za-z0-9_-]*)["']?[ \t]*:[ \t]*$`)
	// inList is text before a colon that begins behind [ or a comma.
	inList    = lazyregexp.New(`[\[,][ \t]*[^\s:,\[\]{}]+$`)
	keyOfLine = lazyregexp.New(`^[ \t]*(?:- +)*["']?([A-Za-z_][A-Za-z0-9_-]*)["']?[ \t]*:`)
)

// Error is "[LINE:COLUMN] KEY: TEXT", where KEY is that of the line if the text does not name it.
func (e withoutSource) Error() string {
	text := yaml.FormatError(e.error, false, false)
	at := placeAndText.FindString(text)
	text = at + plainWords(strings.TrimPrefix(text, at))
	var unknown *yaml.UnknownFieldError
	if errors.As(e.error, &unknown) && unknown.Token != nil {
		others := slices.DeleteFunc(slices.Clone(e.keys), func(key string) bool { return key == unknown.Token.Value }) // which is known elsewhere
		if near := nearest.Names(unknown.Token.Value, others); len(near) > 0 {
			text += fmt.Sprintf("; did you mean %q?", near[0])
		}
	}
	place := placeAndText.FindStringSubmatch(text)
	if place == nil {
		return text
	}
	lines := strings.Split(string(e.document), "\n")
	n, err := strconv.Atoi(place[1])
	if err != nil || n < 1 || n > len(lines) {
		return text
	}
	key := keyOfLine.FindStringSubmatch(lines[n-1])
	if column, err := strconv.Atoi(place[2]); err == nil && column >= 1 && column <= len(lines[n-1]) {
		before := lines[n-1][:column-1]
		if inside := keyBefore.FindStringSubmatch(before); inside != nil {
			key = inside
		}
		if strings.HasSuffix(text, expectedWords("string")+" expected, not "+foundWords("mapping")) && inList.MatchString(before) {
			text += "; put text with a colon in quotation marks"
		}
	}
	if wrong := tokenOfType(e.error); wrong != nil && (wrong.Value == ":" || wrong.Value == "-") {
		key = keyAbove(lines, n, wrong.Value == "-") // the place is in a mapping or list, which is the value of the key above
	}
	if key == nil || strings.Contains(text, strconv.Quote(key[1])) {
		return text
	}
	return place[0] + key[1] + ": " + text[len(place[0]):]
}

// tokenOfType returns where a value is of another type than is expected; nil if the error is another one.
func tokenOfType(err error) *token.Token {
	var wrong *yaml.TypeError
	var node *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &wrong):
		return wrong.Token
	case errors.As(err, &node):
		return node.Token
	}
	return nil
}

// keyAbove returns the key, as keyOfLine finds it, of the last line before line n (from 1) that is indented less,
// or as much if line n begins an entry of a list; nil if there is none.
func keyAbove(lines []string, n int, entry bool) []string {
	indentation := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	for i := n - 2; i >= 0; i-- {
		if key := keyOfLine.FindStringSubmatch(lines[i]); key != nil {
			switch above, here := indentation(lines[i]), indentation(lines[n-1]); {
			case above < here, entry && above == here && !strings.HasPrefix(strings.TrimLeft(lines[i], " "), "-"):
				return key
			}
		}
	}
	return nil
}

// byteOrderMark is written at the start of a file by editors of Windows. It is allowed in YAML:
// https://yaml.org/spec/1.2.2/#52-character-encodings.
const byteOrderMark = "\ufeff"

// asWritten makes text of each number that does not look the same when it is printed: the tag
// 1.10 and the account 012345670123 would reach a string as 1.1 and, read as an octal number,
// 1402433619. A field that is a number takes such text if it is decimal.
func asWritten(tokens token.Tokens) token.Tokens {
	for _, t := range tokens {
		switch t.Type {
		case token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType, token.FloatType:
			if n := token.ToNumber(t.Value); n == nil || fmt.Sprint(n.Value) != t.Value {
				t.Type = token.StringType
			}
		}
	}
	return tokens
}

// Decode reads the one document of r into v. An empty document leaves v as it is. The
// caller bounds r. Errors name the line and the column, and quote no value.
func Decode(r io.Reader, v any) (err error) {
	document, err := io.ReadAll(r)
	if err == nil {
		err = checkDepth(document)
	}
	if err != nil {
		return err
	}
	document = bytes.TrimPrefix(document, []byte(byteOrderMark))
	// The parser panics on some malformed documents, "! {a}" for one.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML is malformed: %v", p)
		}
	}()
	file, err := parser.Parse(asWritten(lexer.Tokenize(string(document))), 0)
	if err != nil {
		return withoutSource{err, document, nil}
	}
	read := false
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if read { // What is after a line of three hyphens would go unread.
			return errors.New("there is more than one YAML document in it")
		}
		read = true
		if err := (wholeNumbers{map[string]ast.Node{}}).check(d.Body, reflect.TypeOf(v), nil); err != nil {
			return err
		}
		if err := yaml.NodeToValue(d.Body, v, yaml.DisallowUnknownField()); err != nil {
			return withoutSource{err, document, keysOf(reflect.TypeOf(v))}
		}
	}
	return nil
}
