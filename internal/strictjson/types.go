package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ExplainType says in words of JSON that a value has another type than is expected: encoding/json names the types of the
// program. Any other error, and nil, is returned as it is.
func ExplainType(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Type == nil {
		return err
	}
	place := "it"
	if field := strings.Trim(wrong.Field, "."); field != "" {
		place = fmt.Sprintf("%.100q", field)
	}
	has, want := typeName(wrong.Value), wantedType(wrong.Type)
	if has == want {
		return fmt.Errorf("%s is a number that is too large or has a fraction", place)
	}
	return fmt.Errorf("%s is %s, not %s", place, has, want)
}

// typeName returns what encoding/json calls bool, string, array or object, or number and its text.
func typeName(value string) string {
	name, _, _ := strings.Cut(value, " ")
	switch name {
	case "bool":
		return "true or false"
	case "array", "object":
		return "an " + name
	}
	return "a " + name
}

func wantedType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wantedType(t.Elem())
	case reflect.Bool:
		return typeName("bool")
	case reflect.String:
		return typeName("string")
	case reflect.Slice, reflect.Array:
		return typeName("array")
	case reflect.Struct, reflect.Map:
		return typeName("object")
	}
	return typeName("number")
}
