package mirror

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/strictyaml"
)

// documents returns values that a schema allows, each with one key, and values that it does not allow.
func documents(s map[string]any) (allowed, refused []any) {
	switch {
	case s["anyOf"] != nil:
		for _, one := range s["anyOf"].([]any) {
			more, _ := documents(one.(map[string]any))
			allowed = append(allowed, more...)
		}
		return allowed, []any{map[string]any{"a": "b"}}
	case s["enum"] != nil:
		return s["enum"].([]any), nil
	case s["properties"] != nil:
		for key, value := range s["properties"].(map[string]any) {
			good, bad := documents(value.(map[string]any))
			for _, v := range good {
				allowed = append(allowed, map[string]any{key: v})
			}
			for _, v := range bad {
				refused = append(refused, map[string]any{key: v})
			}
		}
		return allowed, append(refused, map[string]any{"unknown": "x"}, []any{"x"})
	}
	switch s["type"] {
	case "array":
		good, bad := documents(s["items"].(map[string]any))
		for _, v := range good {
			allowed = append(allowed, []any{v})
		}
		for _, v := range bad {
			refused = append(refused, []any{v})
		}
		return allowed, refused
	case "object":
		return []any{map[string]any{"k": "v"}}, []any{[]any{"x"}}
	case "boolean":
		return []any{true, false}, []any{[]any{true}}
	case "integer":
		return []any{3}, []any{"many"}
	}
	return []any{"text"}, []any{map[string]any{"a": "b"}}
}

// TestSchemaAndDecoderAgree decodes documents with each key of the schema, and with keys and types that it
// does not have.
func TestSchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	var s map[string]any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	allowed, refused := documents(s)
	if len(allowed) < 30 || len(refused) < 30 {
		t.Fatalf("%d and %d documents", len(allowed), len(refused))
	}
	for _, set := range []struct {
		documents []any
		allowed   bool
	}{{allowed, true}, {refused, false}} {
		for _, document := range set.documents {
			text, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			var c Config
			if err := strictyaml.Decode(strings.NewReader(string(text)), &c); (err == nil) != set.allowed {
				t.Errorf("%s: allowed by the schema %t, by the decoder: %v", text, set.allowed, err)
			}
		}
	}
}
