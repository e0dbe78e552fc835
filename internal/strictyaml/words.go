package strictyaml

import (
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// syntaxWords are what the parser says of a malformed document, and the same for people who write YAML now and then. The
// first that is in a message counts. The words of the parser quote what is written, which may be a password; these do not.
var syntaxWords = []struct{ parser, people string }{
	{"found character '\t' that cannot start any token", "a line begins with a tab; indent it with spaces"},
	{"tab character cannot use as a map key", "a line begins with a tab; indent it with spaces"},
	{"sequence end token ']' not found", "the list that begins with [ here does not end with ]"},
	{"could not find flow mapping end token '}'", "what begins with { here does not end with }"},
	{"could not find flow map content", "KEY: VALUE is expected between { and }"},
	{"',' or ']' must be specified", "a comma between two entries, or the ] at the end, is missing"},
	{"',' or '}' must be specified", "a comma between two entries, or the } at the end, is missing"},
	{"could not find '[' character", "there is a ] without its ["},
	{"could not find '{' character", "there is a } without its {"},
	{"non-map value is specified", "KEY: VALUE is expected, with a colon and a space"},
	{"unexpected key name", "KEY: VALUE is expected, with a colon and a space"},
	{"mapping value is not allowed in this context", "a second \": \" in one value, or the next line is indented too far; put text with a colon in quotation marks"},
	{"value is not allowed in this context", "the line is not indented like those above it"},
	{"end character of double-quoted text", "the closing \" is missing"},
	{"end character of single-quoted text", "the closing ' is missing"},
	{"is a reserved character", "text cannot begin with this character; put it in quotation marks"},
	{"unexpected directive value", "text cannot begin with %; put it in quotation marks"},
	{"could not find alias", "there is no anchor (&NAME) for this alias (*NAME); put text that begins with * in quotation marks"},
	{"undefined anchor", "an anchor (&NAME) has no value; put text that begins with & in quotation marks"},
	{"( overflow )", "the number is too large"},
}

var (
	wrongType = lazyregexp.New(`cannot unmarshal (.+) into Go (?:struct field \S+|value) of type (.+)`)
	wrongNode = lazyregexp.New(`^(\S+) was used where (\S+) is expected$`)
)

// plainWords returns what a message of the parser, without its place, says to people.
func plainWords(message string) string {
	for _, w := range syntaxWords {
		if strings.Contains(message, w.parser) {
			return w.people
		}
	}
	found := wrongType.FindStringSubmatch(message)
	if found == nil {
		found = wrongNode.FindStringSubmatch(message)
	}
	if found == nil {
		return message
	}
	want, got := typeOf(found[2]), typeOf(found[1])
	if got == "mapping" && strings.Contains(want, ".") {
		want = "string" // a type of Go with a name, such as digest.Digest
	}
	return expectedWords(want) + " expected, not " + foundWords(got)
}

// typeOf returns the type in YAML that is called name by the parser, which calls some by their name in Go.
func typeOf(name string) string {
	switch {
	case strings.HasPrefix(name, "map["):
		return "mapping"
	case strings.HasPrefix(name, "[]"):
		return "sequence"
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"):
		return "int"
	case strings.HasPrefix(name, "float"):
		return "float"
	}
	return name
}

func expectedWords(yamlType string) string {
	switch yamlType {
	case "mapping":
		return "keys with values (KEY: VALUE) are"
	case "sequence":
		return "a list ([A, B], or lines that begin with \"- \") is"
	case "string":
		return "text is"
	case "int":
		return "a whole number is"
	case "float":
		return "a number is"
	case "bool":
		return "true or false is"
	}
	return "another kind of value is"
}

func foundWords(yamlType string) string {
	switch yamlType {
	case "mapping":
		return "keys with values"
	case "sequence":
		return "a list"
	case "string":
		return "text"
	case "int", "float":
		return "a number"
	case "bool":
		return "true or false"
	case "null":
		return "nothing"
	}
	return "this"
}
