package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads the JSON text of a policy, the lifecyclePolicyText of Amazon ECR. An
// error is an [*InvalidError] with all errors of the policy.
func Parse(text []byte) (*Policy, error) {
	rules, _, problems := read(text)
	if len(problems) > 0 {
		return nil, &InvalidError{problems}
	}
	return newPolicy(rules), nil
}

// locate returns the line and column of a field of a rule, by the place of the rule in
// the text; -1 is the policy. It is the object around a field that is missing.
type locate func(index int, field string) (line, column int)

// read returns the rules of a policy, in their order in the text, and what is wrong.
func read(text []byte) ([]Rule, locate, []Problem) {
	r := reader{text: text, offsets: make(map[string]int)}
	if n := utf8.RuneCount(text); n > MaxPolicyLength {
		r.problem("too-long", "", 0, "it has %d characters; Amazon ECR accepts %d", n, MaxPolicyLength)
		return nil, r.locate, r.problems
	}
	rules := r.policy()
	if r.structural {
		// What is missing or of the wrong kind would be reported again, less clearly.
		return nil, r.locate, r.problems
	}
	return rules, r.locate, append(r.problems, check(rules, r.locate)...)
}

func (r *reader) locate(index int, field string) (line, column int) {
	offset, ok := r.offsets[path(index, field)]
	for !ok && field != "" {
		field = field[:max(strings.LastIndexByte(field, '.'), 0)]
		offset, ok = r.offsets[path(index, field)]
	}
	return position(r.text, offset)
}

// path is the whole name of a field of a rule; index is -1 for the policy.
func path(index int, field string) string {
	if index < 0 {
		return field
	}
	rule := fmt.Sprintf("rules[%d]", index)
	if field == "" {
		return rule
	}
	return rule + "." + field
}

// reader turns a JSON text into rules.
type reader struct {
	text     []byte
	problems []Problem
	offsets  map[string]int // of each field, by its path
	priority int            // of the rule that is being read, 0 if it is not known
	// structural reports that a problem is one of the form, behind which the rules are
	// not worth checking.
	structural bool
}

func (r *reader) problem(code, field string, offset int, format string, args ...any) {
	if code != "unknown-field" && code != "duplicate-field" {
		r.structural = true
	}
	line, column := position(r.text, offset)
	r.problems = append(r.problems, Problem{SeverityError, code, r.priority, field, fmt.Sprintf(format, args...), line, column})
}

func (r *reader) policy() []Rule {
	root, err := parseTree(r.text)
	if err != nil {
		offset := 0
		var syntax syntaxError
		if errors.As(err, &syntax) {
			offset = syntax.offset
		}
		r.problem("syntax", "", offset, "it is not JSON: %v", err)
		return nil
	}
	var rules []Rule
	r.object(root, "", fields{
		"rules": {required: true, read: func(n node, at string) {
			list, ok := n.value.([]node)
			if !ok {
				r.problem("type", at, n.offset, "%s", wrongKind(n, "a list of rules"))
				return
			}
			for i, item := range list {
				rules = append(rules, r.rule(item, fmt.Sprintf("%s[%d]", at, i)))
				r.priority = 0
			}
		}},
	})
	return rules
}

func (r *reader) rule(n node, at string) Rule {
	var rule Rule
	r.offsets[at] = n.offset
	r.priority = priorityOf(n)
	s := &rule.Selection
	r.object(n, at, fields{
		"rulePriority": {required: true, read: r.number(&rule.Priority)},
		"description":  {read: r.string(&rule.Description)},
		"selection": {required: true, read: func(n node, at string) {
			r.object(n, at, fields{
				"tagStatus":      {required: true, read: oneOf(r, &s.TagStatus, Tagged, Untagged, AnyTags)},
				"tagPatternList": {read: r.texts(&s.TagPatterns)},
				"tagPrefixList":  {read: r.texts(&s.TagPrefixes)},
				"storageClass":   {read: oneOf(r, &s.StorageClass, Standard, Archive)},
				"countType":      {required: true, read: oneOf(r, &s.CountType, ImageCountMoreThan, SinceImagePushed, SinceImagePulled, SinceImageTransitioned)},
				"countUnit":      {read: oneOf(r, &s.CountUnit, UnitDays)},
				"countNumber":    {required: true, read: r.number(&s.Count)},
			})
		}},
		"action": {required: true, read: func(n node, at string) {
			r.object(n, at, fields{
				"type":               {required: true, read: oneOf(r, &rule.Action.Type, ActionExpire, ActionTransition)},
				"targetStorageClass": {read: oneOf(r, &rule.Action.Target, Archive)},
			})
		}},
	})
	return rule
}

// priorityOf is the priority of a rule, or 0 if it has none.
func priorityOf(n node) int {
	members, _ := n.value.([]member)
	for _, m := range members {
		if number, ok := m.value.value.(json.Number); ok && m.name == "rulePriority" {
			if i, err := strconv.ParseInt(number.String(), 10, 32); err == nil && i > 0 {
				return int(i)
			}
		}
	}
	return 0
}

// fields are what an object can have.
type fields map[string]struct {
	required bool
	read     func(n node, at string)
}

// object reads the fields of n.
func (r *reader) object(n node, at string, known fields) {
	members, ok := n.value.([]member)
	if !ok {
		r.problem("type", at, n.offset, "%s", wrongKind(n, "an object"))
		return
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		name := showName(m.name)
		if at != "" {
			name = at + "." + name
		}
		field, ok := known[m.name]
		switch {
		case seen[m.name]:
			r.problem("duplicate-field", name, m.offset, "appears twice")
			continue
		case !ok:
			r.problem("unknown-field", name, m.offset, "is not a field of a policy%s", nearest(m.name, known))
			continue
		}
		seen[m.name] = true
		r.offsets[name] = m.value.offset
		field.read(m.value, name)
	}
	for _, name := range sortedNames(known) {
		if known[name].required && !seen[name] {
			if at != "" {
				name = at + "." + name
			}
			r.problem("missing-field", name, n.offset, "is missing")
		}
	}
}

// showName is the name of a field, quoted if it is not one that people write: it goes to
// terminals.
func showName(name string) string {
	if len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return fmt.Sprintf("%.64q", name)
	}
	return name
}

func sortedNames(known fields) []string {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// nearest names a field that differs in case only.
func nearest(name string, known fields) string {
	for _, other := range sortedNames(known) {
		if strings.EqualFold(name, other) {
			return "; write " + other
		}
	}
	return ""
}

func (r *reader) number(into *int) func(node, string) {
	return func(n node, at string) {
		number, ok := n.value.(json.Number)
		if !ok {
			r.problem("type", at, n.offset, "%s", wrongKind(n, "a number"))
			return
		}
		i, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || i > math.MaxInt32 || i < math.MinInt32 {
			r.problem("type", at, n.offset, "must be a whole number of at most %d, not %.64s", math.MaxInt32, number)
			return
		}
		*into = int(i)
	}
}

func (r *reader) string(into *string) func(node, string) {
	return func(n node, at string) {
		s, ok := n.value.(string)
		if !ok {
			r.problem("type", at, n.offset, "%s", wrongKind(n, "a string"))
			return
		}
		*into = s
	}
}

func (r *reader) texts(into *[]string) func(node, string) {
	return func(n node, at string) {
		list, ok := n.value.([]node)
		if !ok {
			r.problem("type", at, n.offset, "%s", wrongKind(n, "a list of strings"))
			return
		}
		*into = []string{} // it is there, if empty
		for i, item := range list {
			at := fmt.Sprintf("%s[%d]", at, i)
			r.offsets[at] = item.offset
			s, ok := item.value.(string)
			if !ok {
				r.problem("type", at, item.offset, "%s", wrongKind(item, "a string"))
				continue
			}
			*into = append(*into, s)
		}
	}
}

// oneOf reads a string that must be one of values, in their case.
func oneOf[T ~string](r *reader, into *T, values ...T) func(node, string) {
	return func(n node, at string) {
		var s string
		read := r.string(&s)
		if read(n, at); s == "" {
			if _, ok := n.value.(string); !ok {
				return
			}
		}
		if !slices.Contains(values, T(s)) {
			r.problem("value", at, n.offset, "must be %s, not %.64q", alternatives(values), s)
			return
		}
		*into = T(s)
	}
}

func alternatives[T ~string](values []T) string {
	var out strings.Builder
	for i, v := range values {
		switch {
		case i == 0:
		case i == len(values)-1:
			out.WriteString(" or ")
		default:
			out.WriteString(", ")
		}
		out.WriteString(strconv.Quote(string(v)))
	}
	return out.String()
}
