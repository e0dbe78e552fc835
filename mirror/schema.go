package mirror

import (
	"encoding/json"
	"reflect"
)

// schemaVersion is the dialect of [Schema]: https://json-schema.org/specification.
const schemaVersion = "http://json-schema.org/draft-07/schema#"

// schema is a JSON schema, as far as a configuration needs it.
type schema struct {
	Version    string            `json:"$schema,omitempty"`
	Title      string            `json:"title,omitempty"`
	Type       string            `json:"type,omitempty"`
	Enum       []string          `json:"enum,omitempty"`
	Minimum    *int              `json:"minimum,omitempty"`
	MinItems   int               `json:"minItems,omitempty"`
	AnyOf      []schema          `json:"anyOf,omitempty"`
	Items      *schema           `json:"items,omitempty"`
	Properties map[string]schema `json:"properties,omitempty"`
	// Additional is false, or the schema of the values.
	Additional any `json:"additionalProperties,omitempty"`
}

// Schema returns the JSON schema of [Config], for editors. It describes keys and types; what
// [Config.Validate] checks beyond them is not in it.
func Schema() []byte {
	s := schemaOf(reflect.TypeFor[Config]())
	s.Version, s.Title = schemaVersion, "ecrkit mirror configuration"
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // plain values
	}
	return append(data, '\n')
}

func schemaOf(t reflect.Type) schema {
	switch t {
	case reflect.TypeFor[Patterns]():
		one := schema{Type: "string"}
		return schema{AnyOf: []schema{one, {Type: "array", Items: &one}}}
	case reflect.TypeFor[ExistingTags]():
		return schema{Enum: []string{string(Overwrite), string(Skip), string(Refuse), string(Retag)}}
	case reflect.TypeFor[TagOrder]():
		return schema{Enum: []string{string(BySemver), string(ByPushed)}}
	}
	if t == reflect.TypeFor[ReferrerRules]() {
		rules := schemaOf(reflect.TypeFor[referrerPatterns]())
		for key, patterns := range rules.Properties {
			patterns.AnyOf[1].MinItems = 1
			rules.Properties[key] = patterns
		}
		return schema{AnyOf: []schema{{Type: "boolean"}, rules}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Struct:
		s := schema{Type: "object", Properties: map[string]schema{}, Additional: false}
		for i := range t.NumField() {
			if key := t.Field(i).Tag.Get("yaml"); key != "-" {
				s.Properties[key] = schemaOf(t.Field(i).Type)
			}
		}
		return s
	case reflect.Map:
		return schema{Type: "object", Additional: schemaOf(t.Elem())}
	case reflect.Slice:
		items := schemaOf(t.Elem())
		return schema{Type: "array", Items: &items}
	case reflect.Bool:
		return schema{Type: "boolean"}
	case reflect.Int:
		return schema{Type: "integer", Minimum: new(int)}
	}
	return schema{Type: "string"}
}
