// Package model checks the inputs of Amazon ECR's operations against the constraints of the service's model: required
// members, lengths, ranges, patterns and enumerations.
package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/localecr/internal/wire"
)

// constraintsJSON has the inputs of all operations but the four of replication backfills, as botocore 1.43.11 ships the
// service's model.
//
//go:embed constraints.json
var constraintsJSON []byte

// A Constraint is what the model says about a member.
type Constraint struct {
	Type     string
	Pattern  *Pattern // nil is any text
	Required bool
	Min, Max *int64 // of a number, or of the length of a string or list
	Enum     []string
	Members  map[string]Constraint
	Element  *Constraint // of a list
}

// Operations returns the members of the inputs, by operation.
var Operations = sync.OnceValue(func() map[string]map[string]Constraint {
	var operations map[string]map[string]Constraint
	if err := json.Unmarshal(constraintsJSON, &operations); err != nil {
		panic(err) // a file of this package
	}
	return operations
})

// A Pattern is a regular expression that a whole value has to match.
type Pattern struct {
	text  string
	whole lazyregexp.Regexp
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Pattern) UnmarshalText(text []byte) error {
	*p = Pattern{string(text), lazyregexp.New(`^(?:` + string(text) + `)$`)}
	return nil
}

// Matches reports whether a value matches.
func (p *Pattern) Matches(value string) bool { return p.whole.MatchString(value) }

// Check returns an InvalidParameterException for the first member of an input, a pointer to one of the SDK's structs, that
// breaks the model, nil if none does.
func Check(operation string, input any) error {
	return members("", Operations()[operation], reflect.ValueOf(input).Elem())
}

// capitals are the members that ECR's messages spell like this, as its users have reported them.
var capitals = map[string]string{"policyText": "PolicyText", "imageManifest": "ImageManifest", "lifecyclePolicyText": "LifecyclePolicyText"}

func violation(member, must string) error {
	if capital, ok := capitals[member]; ok {
		member = capital
	}
	return &types.InvalidParameterException{Message: aws.String(fmt.Sprintf(
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", member, must))}
}

func members(path string, constraints map[string]Constraint, shape reflect.Value) error {
	for i := range shape.NumField() {
		name := wire.MemberName(shape.Type(), shape.Type().Field(i).Name, wire.LowerCamel)
		c, ok := constraints[name]
		if !ok {
			continue
		}
		if err := c.check(path+name, shape.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// check checks a member. The SDK's types have the absent value nil, or "" for an enumeration.
func (c Constraint) check(path string, value reflect.Value) error {
	absent := false
	switch value.Kind() {
	case reflect.Pointer:
		if absent = value.IsNil(); !absent {
			value = value.Elem()
		}
	case reflect.Slice:
		absent = value.IsNil()
	case reflect.String:
		absent = value.Len() == 0 && c.Enum != nil
	}
	if absent {
		if c.Required {
			return violation(path, "must not be null")
		}
		return nil
	}
	if must := c.breach(value); must != "" {
		return violation(path, must)
	}
	switch {
	case value.Kind() == reflect.Struct:
		return members(path+".", c.Members, value)
	case value.Kind() == reflect.Slice && c.Element != nil:
		for i := range value.Len() {
			if err := c.Element.check(fmt.Sprintf("%s.%d.member", path, i+1), value.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// breach returns what a value must be and is not, "" if it is.
func (c Constraint) breach(value reflect.Value) string {
	switch value.Kind() {
	case reflect.String:
		text := value.String()
		if c.Enum != nil {
			return c.unknown(text)
		}
		if must := c.bounds("must have a length of", int64(utf8.RuneCountInString(text))); must != "" {
			return must
		}
		if c.Pattern != nil && !c.Pattern.Matches(text) {
			return fmt.Sprintf("must satisfy regular expression '%s'", strings.Trim(c.Pattern.text, "^$"))
		}
	case reflect.Slice:
		if c.Type == "list" {
			return c.bounds("must have a length of", int64(value.Len()))
		}
	case reflect.Int32, reflect.Int64:
		return c.bounds("must be", value.Int())
	}
	return ""
}

func (c Constraint) unknown(text string) string {
	for _, known := range c.Enum {
		if text == known {
			return ""
		}
	}
	return fmt.Sprintf("must be one of %v", c.Enum)
}

// bounds returns what n must be and is not, "" if it is. must is "must be" or "must have a length of".
func (c Constraint) bounds(must string, n int64) string {
	switch tooSmall, tooLarge := c.Min != nil && n < *c.Min, c.Max != nil && n > *c.Max; {
	case !tooSmall && !tooLarge:
		return ""
	case c.Min != nil && c.Max != nil:
		return fmt.Sprintf("%s between %d and %d", strings.TrimSuffix(must, " of"), *c.Min, *c.Max)
	case tooSmall:
		return fmt.Sprintf("%s at least %d", must, *c.Min)
	default:
		return fmt.Sprintf("%s at most %d", must, *c.Max)
	}
}
