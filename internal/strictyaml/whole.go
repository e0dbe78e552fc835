package strictyaml

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// wholeNumbers refuses fractions where whole numbers are expected: the parser drops what follows the point.
type wholeNumbers struct {
	anchors map[string]ast.Node
}

// check compares a node with the type that it is read into. key is that of the node, or of the list that it is in.
func (w wholeNumbers) check(n ast.Node, t reflect.Type, key *token.Token) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		w.anchors[n.Name.GetToken().Value] = n.Value
		return w.check(n.Value, t, key)
	case *ast.AliasNode:
		if at, ok := w.anchors[n.Value.GetToken().Value]; ok {
			return w.check(at, t, key)
		}
	case *ast.TagNode:
		return w.check(n.Value, t, key)
	case *ast.MappingNode:
		for _, entry := range n.Values {
			if err := w.entry(entry, t); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		return w.entry(n, t)
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return nil
		}
		for _, value := range n.Values {
			if err := w.check(value, t.Elem(), key); err != nil {
				return err
			}
		}
	case *ast.FloatNode, *ast.StringNode:
		if !t.ConvertibleTo(reflect.TypeFor[int]()) || t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64 || key == nil {
			return nil
		}
		if number, err := strconv.ParseFloat(n.GetToken().Value, 64); err == nil && number != math.Trunc(number) {
			return keyError{fmt.Errorf("%s: a fraction was used where a whole number is expected", key.Value), key}
		}
	}
	return nil
}

func (w wholeNumbers) entry(n *ast.MappingValueNode, t reflect.Type) error {
	key := n.Key.GetToken()
	switch {
	case n.Key.IsMergeKey():
		return w.check(n.Value, t, key)
	case t.Kind() == reflect.Map:
		return w.check(n.Value, t.Elem(), key)
	case t.Kind() == reflect.Struct:
		if field := fieldOf(t, key.Value); field != nil {
			return w.check(n.Value, field, key)
		}
	}
	return nil
}

// fieldOf returns the type of the field of a struct that a key is read into, or nil.
func fieldOf(t reflect.Type, key string) reflect.Type {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == key {
			return field.Type
		}
		if options == "inline" && field.Type.Kind() == reflect.Struct {
			if found := fieldOf(field.Type, key); found != nil {
				return found
			}
		}
	}
	return nil
}
