package strictyaml

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// maxIndent bounds how far a caret is from the left, in columns.
const maxIndent = 60

// Caret returns two lines that point at the key that an error of [Decode] is about:
//
//	2 | imagse:
//	    ^
//
// The rest of the line may have a password and is left out. It is "" for any other error.
func Caret(err error) string {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) || unknown.Token == nil || unknown.Token.Position == nil {
		return ""
	}
	key, place := unknown.Token.Value, unknown.Token.Position
	if key == "" || strings.ContainsAny(key, "\n\r\t") || utf8.RuneCountInString(key) > maxIndent {
		return ""
	}
	indent := strings.Repeat(" ", min(max(place.Column-1, 0), maxIndent))
	line := strconv.Itoa(place.Line) + " | "
	return line + indent + key + ":\n" + strings.Repeat(" ", len(line)) + indent + "^"
}
