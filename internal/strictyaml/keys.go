package strictyaml

import (
	"reflect"
	"strings"
)

// keysOf returns the keys that a document which is read into t may have, at any depth.
func keysOf(t reflect.Type) []string {
	var keys []string
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			visit(t.Elem())
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for i := range t.NumField() {
				field := t.Field(i)
				name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
				if name != "" && name != "-" {
					keys = append(keys, name)
				}
				visit(field.Type)
			}
		}
	}
	if t != nil {
		visit(t)
	}
	return keys
}
