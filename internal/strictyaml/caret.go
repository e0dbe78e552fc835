package strictyaml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxIndent bounds how far a caret is from the left, in columns.
const maxIndent = 60

// keyError is an error about a key that was read.
type keyError struct {
	error
	key *token.Token
}

func (e keyError) Unwrap() error { return e.error }

func (e keyError) Error() string {
	return fmt.Sprintf("[%d:%d] %v", e.key.Position.Line, e.key.Position.Column, e.error)
}

// At returns err as an error about a key of a document that [Decode] has read, with its line and column, so
// that [Caret] points at it. path is that of the key: images[0].tags.match. If the key is not found, as behind
// an alias, err is returned as it is.
func At(document []byte, path string, err error) error {
	file, failed := parser.ParseBytes(document, 0)
	if failed != nil {
		return err
	}
	parent, name := "$", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		parent, name = "$."+path[:dot], path[dot+1:]
	}
	place, failed := yaml.PathString(parent)
	if failed != nil {
		return err
	}
	found, failed := place.FilterFile(file)
	if failed != nil {
		return err
	}
	entries, ok := found.(ast.MapNode)
	if !ok {
		return err
	}
	for entry := entries.MapRange(); entry.Next(); {
		if key := entry.Key().GetToken(); key != nil && key.Value == name && key.Position != nil {
			return keyError{err, key}
		}
	}
	return err
}

// Caret returns two lines that point at the key that an error of [Decode] or [At] is about:
//
//	2 | imagse:
//	    ^
//
// The rest of the line may have a password and is left out. It is "" for any other error.
func Caret(err error) string {
	var unknown *yaml.UnknownFieldError
	var at keyError
	var found *token.Token
	switch {
	case errors.As(err, &unknown):
		found = unknown.Token
	case errors.As(err, &at):
		found = at.key
	}
	if found == nil || found.Position == nil {
		return ""
	}
	key, place := found.Value, found.Position
	if key == "" || strings.ContainsAny(key, "\n\r\t") || utf8.RuneCountInString(key) > maxIndent {
		return ""
	}
	indent := strings.Repeat(" ", min(max(place.Column-1, 0), maxIndent))
	line := strconv.Itoa(place.Line) + " | "
	return line + indent + key + ":\n" + strings.Repeat(" ", len(line)) + indent + "^"
}
