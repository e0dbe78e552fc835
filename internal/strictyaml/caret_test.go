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

func TestAt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, path, want, caret string }{
		{"name: SECRET\n", "name", "[1:1] wrong", "1 | name:\n    ^"},
		{"list:\n- {x: 1}\n- {x: 1, y: SECRET}\n", "list[1].y", "[3:10] wrong", "3 |          y:\n             ^"},
		{"map:\n  x:\n    list: [a]\n", "map.x.list", "[3:5] wrong", "3 |     list:\n        ^"},
		{"map: &m {x: 1}\nother: *m\n", "other.x", "wrong", ""},
		{"map: {x: 1}\n", "map.y", "wrong", ""},
		{"map: [", "map.y", "wrong", ""},
	} {
		cause := errors.New("wrong")
		err := At([]byte(tt.text), tt.path, cause)
		if err.Error() != tt.want || Caret(fmt.Errorf("file: %w", err)) != tt.caret || !errors.Is(err, cause) {
			t.Errorf("%q, %s: %v\n%s\nwant %s\n%s", tt.text, tt.path, err, Caret(err), tt.want, tt.caret)
		}
	}
}
