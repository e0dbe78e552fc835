package strictjson

import (
	"strings"
	"testing"
)

// TestTypes has values of other types than are expected: the error is in words of JSON, without the types of the program.
func TestTypes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[]`:                    "it is an array, not an object",
		`"x"`:                   "it is a string, not an object",
		`{"Name":[]}`:           `"Name" is an array, not a string`,
		`{"Name":7}`:            `"Name" is a number, not a string`,
		`{"Inner":{"List":{}}}`: `"Inner.List" is an object, not an array`,
		`{"Inner":{"Yes":"x"}}`: `"Inner.Yes" is a string, not true or false`,
		`{"Inner":{"N":1e99}}`:  `"Inner.N" is a number that is too large or has a fraction`,
		`{"Inner":{"M":[]}}`:    `"Inner.M" is an array, not an object`,
		`{"Inner":{"N":true}}`:  `"Inner.N" is true or false, not a number`,
	} {
		var v struct {
			Name  string
			Inner struct {
				List []string
				Yes  bool
				N    int
				M    map[string]string
			}
		}
		err := Unmarshal([]byte(text), &v)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
