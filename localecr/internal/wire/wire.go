// Package wire turns the AWS SDK's own Go types into the JSON of the AWS JSON 1.1 protocol and back,
// as a server needs it: the SDK itself only writes requests and reads responses.
//
// The field names of the SDK's types are the member names of the service's model, so the shapes of
// the protocol need no second description here. Sources: the AWS JSON 1.1 protocol specification
// (times are epoch seconds, blobs are base64) and the snapshots that the SDK modules ship.
package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Case describes how a service spells the names of its members.
type Case int

const (
	// LowerCamel is ECR's spelling: imageDigest.
	LowerCamel Case = iota
	// UpperCamel is that of KMS: KeyId.
	UpperCamel
)

var (
	timeType  = reflect.TypeFor[time.Time]()
	bytesType = reflect.TypeFor[[]byte]()
)

// Encode writes v, a pointer to one of the SDK's structs, as JSON. Members that are nil, and enum
// members that are empty, are left out; lists that are empty but not nil are written as [].
func Encode(v any, c Case) ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, reflect.ValueOf(v), c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func encode(b *bytes.Buffer, v reflect.Value, c Case) error {
	switch {
	case !v.IsValid():
		b.WriteString("null")
		return nil
	case v.Type() == timeType:
		b.WriteString(epoch(v.Interface().(time.Time)))
		return nil
	case v.Type() == bytesType:
		b.WriteByte('"')
		b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
		b.WriteByte('"')
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return encode(b, v.Elem(), c)
	case reflect.Struct:
		return encodeStruct(b, v, c)
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encode(b, v.Index(i), c); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case reflect.Map:
		return encodeMap(b, v, c)
	default:
		return encodeLeaf(b, v.Interface())
	}
}

func encodeStruct(b *bytes.Buffer, v reflect.Value, c Case) error {
	b.WriteByte('{')
	first := true
	for _, f := range members(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if omitted(field) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		fmt.Fprintf(b, "%q:", MemberName(v.Type(), f.Name, c))
		if err := encode(b, field, c); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	b.WriteByte('}')
	return nil
}

func encodeMap(b *bytes.Buffer, v reflect.Value, c Case) error {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	b.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encodeLeaf(b, k); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := encode(b, v.MapIndex(reflect.ValueOf(k).Convert(v.Type().Key())), c); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// encodeLeaf writes a scalar. HTML characters stay as they are: a manifest travels in a string.
func encodeLeaf(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

// members returns the fields of a struct that are members of the shape: not the SDK's bookkeeping.
func members(t reflect.Type) []reflect.StructField {
	var out []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && f.Name != "ResultMetadata" && f.Name != "ErrorCodeOverride" && !f.Anonymous {
			out = append(out, f)
		}
	}
	return out
}

func omitted(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	default:
		return false
	}
}

// MemberName is the wire's name of a field. Tag is the one shape of ECR whose members begin with
// capitals.
func MemberName(shape reflect.Type, field string, c Case) string {
	if c == UpperCamel || shape.Name() == "Tag" {
		return field
	}
	r, n := utf8.DecodeRuneInString(field)
	return strings.ToLower(string(r)) + field[n:]
}

func epoch(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// Decode reads the JSON document data into v, a pointer to one of the SDK's structs. Member names
// are matched exactly; members that the shape does not have are ignored, as AWS does.
func Decode(data []byte, v any, c Case) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil // an operation without members may be called with an empty body
	}
	return decoder{spelling: c}.decode(data, reflect.ValueOf(v).Elem(), 0)
}

// DecodeRecorded reads what the aws CLI has printed, or people have written after its model, into v, a
// pointer to a struct of the SDK's types. Times may be text (RFC 3339) too, as version 2 of the CLI
// prints them, and a member that the shape does not have is an error.
func DecodeRecorded(data []byte, v any) error {
	return decoder{spelling: LowerCamel, recorded: true}.decode(data, reflect.ValueOf(v).Elem(), 0)
}

type decoder struct {
	spelling Case
	recorded bool
}

// maxDepth bounds the nesting of a request: no shape of these services is deeper than 10.
const maxDepth = 32

func (d decoder) decode(data []byte, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	if string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	switch {
	case v.Type() == timeType:
		if d.recorded && bytes.HasPrefix(bytes.TrimSpace(data), []byte{'"'}) {
			return json.Unmarshal(data, v.Addr().Interface())
		}
		var seconds float64
		if err := json.Unmarshal(data, &seconds); err != nil {
			return err
		}
		v.Set(reflect.ValueOf(time.UnixMilli(int64(seconds * 1000)).UTC()))
		return nil
	case v.Type() == bytesType:
		return json.Unmarshal(data, v.Addr().Interface())
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(data, v.Elem(), depth)
	case reflect.Struct:
		return d.decodeStruct(data, v, depth)
	case reflect.Slice:
		var raw []json.RawMessage
		if err := json.Unmarshal(data, &raw); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), len(raw), len(raw)))
		for i := range raw {
			if err := d.decode(raw[i], v.Index(i), depth+1); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	default:
		return json.Unmarshal(data, v.Addr().Interface())
	}
}

func (d decoder) decodeStruct(data []byte, v reflect.Value, depth int) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for _, f := range members(v.Type()) {
		name := MemberName(v.Type(), f.Name, d.spelling)
		value, ok := raw[name]
		if !ok {
			continue
		}
		delete(raw, name)
		if err := d.decode(value, v.FieldByIndex(f.Index), depth+1); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if d.recorded && len(raw) > 0 {
		return fmt.Errorf("%s is not a member of %s", slices.Sorted(maps.Keys(raw))[0], v.Type().Name())
	}
	return nil
}
