package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one key of one operator in a Condition block.
type condition struct {
	key      string // in lower case
	wanted   []string
	test     func(wanted pattern, have string) bool // nil for an operator that is not known
	negated  bool                                   // no wanted value may match, as in StringNotEquals
	ifExists bool
	null     bool
	set      string // "", "ForAnyValue" or "ForAllValues"
}

// operators are the condition operators of IAM but for those of binary values.
var operators = map[string]struct {
	test    func(wanted pattern, have string) bool
	negated bool
}{
	"StringEquals":              {equal, false},
	"StringNotEquals":           {equal, true},
	"StringEqualsIgnoreCase":    {equalFold, false},
	"StringNotEqualsIgnoreCase": {equalFold, true},
	"StringLike":                {pattern.match, false},
	"StringNotLike":             {pattern.match, true},
	"ArnEquals":                 {matchARN, false},
	"ArnLike":                   {matchARN, false},
	"ArnNotEquals":              {matchARN, true},
	"ArnNotLike":                {matchARN, true},
	"Bool":                      {equalFold, false},
	"IpAddress":                 {inNetwork, false},
	"NotIpAddress":              {inNetwork, true},
	"DateEquals":                {ordered(date, 0), false},
	"DateNotEquals":             {ordered(date, 0), true},
	"DateLessThan":              {ordered(date, -1), false},
	"DateLessThanEquals":        {ordered(date, -1, 0), false},
	"DateGreaterThan":           {ordered(date, 1), false},
	"DateGreaterThanEquals":     {ordered(date, 1, 0), false},
	"NumericEquals":             {ordered(number, 0), false},
	"NumericNotEquals":          {ordered(number, 0), true},
	"NumericLessThan":           {ordered(number, -1), false},
	"NumericLessThanEquals":     {ordered(number, -1, 0), false},
	"NumericGreaterThan":        {ordered(number, 1), false},
	"NumericGreaterThanEquals":  {ordered(number, 1, 0), false},
}

func newCondition(operator, key string, wanted []string) condition {
	c := condition{key: strings.ToLower(key), wanted: wanted}
	if set, rest, ok := strings.Cut(operator, ":"); ok {
		if set != "ForAnyValue" && set != "ForAllValues" {
			return c
		}
		c.set, operator = set, rest
	}
	if operator == "Null" {
		c.null = true
		return c
	}
	operator, c.ifExists = strings.CutSuffix(operator, "IfExists")
	c.test, c.negated = operators[operator].test, operators[operator].negated
	return c
}

// holds reports whether the condition is met; one that is not known is met if unknown. Without the key in the request it is
// not met, unless it is negated or has IfExists or ForAllValues.
func (c condition) holds(context map[string][]string, variables, unknown bool) bool {
	have := context[c.key]
	switch {
	case c.null:
		return slices.Contains(c.wanted, fmt.Sprint(len(have) == 0))
	case c.test == nil:
		return unknown
	case len(have) == 0:
		return c.ifExists || c.set == "ForAllValues" || c.negated && c.set == ""
	}
	meets := func(value string) bool {
		return c.negated != slices.ContainsFunc(c.wanted, func(text string) bool {
			wanted, ok := expand(text, context, variables)
			return ok && c.test(wanted, value)
		})
	}
	if c.set == "ForAllValues" || c.negated && c.set == "" {
		return !slices.ContainsFunc(have, func(v string) bool { return !meets(v) })
	}
	return slices.ContainsFunc(have, meets)
}

func equal(wanted pattern, have string) bool     { return wanted.text() == have }
func equalFold(wanted pattern, have string) bool { return strings.EqualFold(wanted.text(), have) }

// matchARN compares two ARNs part by part: a wildcard does not cross one of their first five colons.
func matchARN(wanted pattern, have string) bool {
	w, h := wanted.parts(6), strings.SplitN(have, ":", 6)
	if len(w) != len(h) {
		return false
	}
	for i := range w {
		if !w[i].match(h[i]) {
			return false
		}
	}
	return true
}

func inNetwork(wanted pattern, have string) bool {
	address, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	if one, err := netip.ParseAddr(wanted.text()); err == nil {
		return one == address
	}
	prefix, err := netip.ParsePrefix(wanted.text())
	return err == nil && prefix.Masked().Contains(address)
}

// ordered makes a test of a comparison: that of the value in the request with the wanted one has one of the signs.
func ordered(read func(string) (float64, bool), signs ...int) func(pattern, string) bool {
	return func(wanted pattern, have string) bool {
		w, ok1 := read(wanted.text())
		h, ok2 := read(have)
		return ok1 && ok2 && slices.Contains(signs, cmp.Compare(h, w))
	}
}

func number(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && f == f
}

// date reads the ISO 8601 forms that IAM takes, or seconds since 1970.
func date(text string) (float64, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(form, text); err == nil {
			return float64(t.UnixMilli()) / 1000, true
		}
	}
	return number(text)
}
