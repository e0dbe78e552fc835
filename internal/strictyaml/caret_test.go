package strictyaml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCaret(t *testing.T) {
	for text, want := range map[string]string{
		"name: a\nnmae: SECRET\n":                 "2 | nmae:\n    ^",
		"list: [a]\nmap: {x: {name: b, lsit: c}}": "2 |                    lsit:\n                       ^",
		"map:\n  x:\n    list: [a]\n    nmae: b":  "4 |     nmae:\n        ^",
		"name: [":                                 "",
	} {
		var s sample
		err := Decode(strings.NewReader(text), &s)
		if err == nil {
			t.Fatalf("%q was read", text)
		}
		if got := Caret(fmt.Errorf("file: %w", err)); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
	if got := Caret(errors.New("other")); got != "" {
		t.Error(got)
	}
}
