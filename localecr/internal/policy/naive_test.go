package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// A second evaluator, which knows as little as possible of the first: it walks over the JSON, and its wildcards are
// regular expressions.

type object = map[string]any

func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			out = append(out, one.(string))
		}
	}
	return out
}

func naiveMatch(pattern, text string, fold bool) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	if fold {
		expression = "(?i)" + expression
	}
	return regexp.MustCompile("^(?:" + expression + ")$").MatchString(text)
}

func naiveAny(v any, test func(string) bool) bool {
	for _, text := range texts(v) {
		if test(text) {
			return true
		}
	}
	return false
}

// naiveCaller is a caller with all the names that policies have for it.
type naiveCaller struct{ arn, account, role string }

// naivePrincipal returns "" if a principal is not the caller, "account" if it is the caller's account, else "self".
func naivePrincipal(v any, c naiveCaller) string {
	if v == "*" {
		return "self"
	}
	found := ""
	for _, name := range texts(v.(object)["AWS"]) {
		if name == "*" || name == c.arn || c.role != "" && name == c.role {
			return "self"
		}
		if name == c.account || name == "arn:aws:iam::"+c.account+":root" {
			found = "account"
		}
	}
	return found
}

func naiveCondition(operator string, wanted []string, have []string) bool {
	switch operator {
	case "Null":
		return wanted[0] == "true" == (len(have) == 0)
	case "StringNotEquals", "StringNotLike", "ArnNotLike", "NotIpAddress":
		positive := map[string]string{"StringNotEquals": "StringEquals", "StringNotLike": "StringLike", "ArnNotLike": "ArnLike", "NotIpAddress": "IpAddress"}
		return !naiveCondition(positive[operator], wanted, have)
	case "StringNotEqualsIfExists":
		return len(have) == 0 || naiveCondition("StringNotEquals", wanted, have)
	case "ForAllValues:StringEquals":
		for _, h := range have {
			if !strings.Contains("\x00"+strings.Join(wanted, "\x00")+"\x00", "\x00"+h+"\x00") {
				return false
			}
		}
		return true
	case "StringEqualsIfExists":
		if len(have) == 0 {
			return true
		}
		operator = "StringEquals"
	}
	for _, h := range have {
		for _, w := range wanted {
			var ok bool
			switch operator {
			case "StringEquals", "ForAnyValue:StringEquals":
				ok = h == w
			case "StringLike":
				ok = naiveMatch(w, h, false)
			case "StringEqualsIgnoreCase", "Bool":
				ok = strings.EqualFold(h, w)
			case "ArnLike":
				ok = naiveARN(w, h)
			case "DateLessThan": // all in one form and zone, so that the order of the texts is that of the times
				ok = h < w
			case "NumericGreaterThanEquals": // of one digit
				ok = h >= w
			case "IpAddress":
				ok = netip.MustParsePrefix(w).Contains(netip.MustParseAddr(h))
			default:
				panic(operator)
			}
			if ok {
				return true
			}
		}
	}
	return false
}

// naiveARN compares ARNs part by part.
func naiveARN(pattern, arn string) bool {
	wanted, have := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	for i := range have {
		if len(wanted) != len(have) || !naiveMatch(wanted[i], have[i], false) {
			return false
		}
	}
	return true
}

// naiveApplies returns who a statement applies to: "" if it does not apply.
func naiveApplies(s object, c naiveCaller, r Request) string {
	who := "self"
	if p, ok := s["Principal"]; ok {
		who = naivePrincipal(p, c)
	}
	if p, ok := s["NotPrincipal"]; ok && naivePrincipal(p, c) == "self" {
		who = ""
	}
	action := func(p string) bool { return naiveMatch(p, r.Action, true) }
	resource := func(p string) bool { return naiveMatch(p, r.Resource, false) }
	for member, test := range map[string]func(string) bool{"Action": action, "Resource": resource} {
		if v, ok := s[member]; ok && !naiveAny(v, test) {
			return ""
		}
		if v, ok := s["Not"+member]; ok && naiveAny(v, test) {
			return ""
		}
	}
	if conditions, ok := s["Condition"].(object); ok {
		for operator, keys := range conditions {
			for key, wanted := range keys.(object) {
				if !naiveCondition(operator, texts(wanted), r.Context[strings.ToLower(key)]) {
					return ""
				}
			}
		}
	}
	return who
}

// naiveAuthorize decides as the diagram of IAM does: any deny, then the two sides.
func naiveAuthorize(c naiveCaller, sameAccount bool, r Request, identity, resource []object) bool {
	mine, theirs := map[string]bool{}, map[string]bool{}
	for side, documents := range map[*map[string]bool][]object{&mine: identity, &theirs: resource} {
		for _, d := range documents {
			for _, s := range d["Statement"].([]any) {
				s := s.(object)
				if who := naiveApplies(s, c, r); who != "" {
					if s["Effect"] == "Deny" {
						return false
					}
					(*side)[who] = true
				}
			}
		}
	}
	if sameAccount {
		return mine["self"] || theirs["self"]
	}
	return mine["self"] && (theirs["self"] || theirs["account"])
}

// generator makes random policies about few things, so that they often concern a request.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) some(from ...string) any {
	if g.IntN(3) > 0 {
		return pick(g, from...)
	}
	list := []any{}
	for range 1 + g.IntN(3) {
		list = append(list, pick(g, from...))
	}
	return list
}

var naiveCallers = []naiveCaller{
	{"arn:aws:iam::111111111111:user/alice", "111111111111", ""},
	{"arn:aws:iam::111111111111:user/bob", "111111111111", ""},
	{"arn:aws:sts::111111111111:assumed-role/ci/run", "111111111111", "arn:aws:iam::111111111111:role/ci"},
	{"arn:aws:iam::222222222222:user/carol", "222222222222", ""},
	{"arn:aws:sts::222222222222:assumed-role/ci/run", "222222222222", "arn:aws:iam::222222222222:role/ci"},
}

const naiveRegistry = "arn:aws:ecr:us-east-1:111111111111:repository/"

func (g generator) principal() any {
	if g.IntN(5) == 0 {
		return "*"
	}
	names := []string{"*", "111111111111", "222222222222", "arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root", "333333333333"}
	for _, c := range naiveCallers {
		names = append(names, c.arn)
		if c.role != "" {
			names = append(names, c.role)
		}
	}
	out := object{"AWS": g.some(names...)}
	if g.IntN(6) == 0 {
		out["Service"] = "codebuild.amazonaws.com"
	}
	return out
}

func (g generator) condition() object {
	type one = struct {
		operator, key string
		values        []string
	}
	c := pick(g,
		one{"StringEquals", "aws:RequestedRegion", []string{"us-east-1", "eu-west-1"}},
		one{"StringNotEquals", "ecr:ResourceTag/team", []string{"a", "b"}},
		one{"StringLike", "aws:PrincipalArn", []string{"*:user/a*", "*:role/?i", "arn:aws:iam::2*"}},
		one{"IpAddress", "aws:SourceIp", []string{"10.0.0.0/8", "192.0.2.0/24", "10.1.0.0/16"}},
		one{"NotIpAddress", "aws:SourceIp", []string{"10.0.0.0/8", "192.0.2.7/32", "10.1.0.0/16"}},
		one{"StringEquals", "aws:ResourceTag/team", []string{"a", "b"}},
		one{"StringEqualsIgnoreCase", "ecr:ResourceTag/team", []string{"A", "b"}},
		one{"StringNotEqualsIfExists", "aws:RequestTag/team", []string{"a", "b"}},
		one{"StringNotLike", "aws:PrincipalArn", []string{"*:user/a*", "*:role/?i"}},
		one{"ArnLike", "aws:PrincipalArn", []string{"arn:aws:iam::*:role/*", "arn:aws:iam::2*:user/*", "arn:aws:*:user/alice"}},
		one{"ArnNotLike", "aws:PrincipalArn", []string{"arn:aws:iam::*:role/*", "arn:*:iam::*:user/bob"}},
		one{"Bool", "aws:SecureTransport", []string{"true", "false", "True"}},
		one{"DateLessThan", "aws:CurrentTime", []string{"2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"}},
		one{"NumericGreaterThanEquals", "s3:max-keys", []string{"3", "5"}},
		one{"Null", "ecr:ResourceTag/team", []string{"true", "false"}},
		one{"StringEqualsIfExists", "aws:RequestTag/team", []string{"a", "b"}},
		one{"ForAnyValue:StringEquals", "aws:TagKeys", []string{"team", "env"}},
		one{"ForAllValues:StringEquals", "aws:TagKeys", []string{"team", "env"}})
	var values any = g.some(c.values...)
	if c.operator == "Null" {
		values = pick(g, c.values...)
	}
	return object{c.operator: object{c.key: values}}
}

func (g generator) document(identity, withResource bool) object {
	statements := []any{}
	for range 1 + g.IntN(3) {
		s := object{"Effect": pick(g, "Allow", "Allow", "Allow", "Deny")}
		s[pick(g, "Action", "Action", "Action", "NotAction")] = g.some("*", "ecr:*", "ecr:Put*", "ecr:PUTIMAGE", "ecr:BatchGetImage", "ecr:*Image", "ecr:?atch*", "kms:*")
		if identity || withResource {
			s[pick(g, "Resource", "Resource", "Resource", "NotResource")] = g.some("*", naiveRegistry+"*", naiveRegistry+"app", naiveRegistry+"team/*", naiveRegistry+"team/?pp", "arn:aws:ecr:*:*:repository/a*", "arn:aws:ecr:*:222222222222:*")
		}
		if !identity {
			s[pick(g, "Principal", "Principal", "Principal", "NotPrincipal")] = g.principal()
		}
		if g.IntN(3) == 0 {
			conditions := g.condition()
			if g.IntN(2) == 0 { // all of them have to hold
				for operator, keys := range g.condition() {
					if has, ok := conditions[operator].(object); ok {
						maps.Copy(has, keys.(object))
					} else {
						conditions[operator] = keys
					}
				}
			}
			s["Condition"] = conditions
		}
		statements = append(statements, s)
	}
	return object{"Version": pick(g, "2012-10-17", "2008-10-17"), "Statement": statements}
}

func (g generator) request(c naiveCaller) Request {
	principal := c.arn
	if c.role != "" {
		principal = c.role
	}
	r := Request{Principal: c.arn, Action: "ecr:" + pick(g, "PutImage", "BatchGetImage", "ListImages", "BatchDeleteImage"), Resource: naiveRegistry + pick(g, "app", "team/app", "team/web", "other"),
		Context: map[string][]string{"aws:requestedregion": {"us-east-1"}, "aws:principalarn": {principal}, "aws:sourceip": {pick(g, "10.1.2.3", "192.0.2.7", "127.0.0.1")},
			"aws:securetransport": {pick(g, "true", "false")}, "aws:currenttime": {pick(g, "2025-07-01T00:00:00Z", "2026-07-01T00:00:00Z")}, "s3:max-keys": {pick(g, "1", "4", "9")}}}
	if g.IntN(2) == 0 {
		team := pick(g, "a", "b", "c")
		r.Context["ecr:resourcetag/team"], r.Context["aws:resourcetag/team"] = []string{team}, []string{team}
	}
	if g.IntN(2) == 0 {
		r.Context["aws:requesttag/team"] = []string{pick(g, "a", "c")}
		r.Context["aws:tagkeys"] = pick(g, []string{"team"}, []string{"team", "env"}, []string{"team", "other"})
	}
	return r
}

// compareEvaluators compares the two evaluators in random cases, and reports how many were allowed.
func compareEvaluators(t *testing.T, cases int, seed uint64) {
	t.Helper()
	g, allowed := generator{rand.New(rand.NewPCG(seed, seed))}, 0
	for i := range cases {
		c := pick(g, naiveCallers...)
		r, same := g.request(c), c.account == "111111111111"
		var texts []string
		sides := [2][]object{}
		parsed := [2][]*Document{}
		for side, parse := range []func(string) (*Document, error){ParseIdentity, ParseResource} {
			for range g.IntN(3) {
				d := g.document(side == 0, g.IntN(2) == 0)
				text, err := json.Marshal(d)
				if err != nil {
					t.Fatal(err)
				}
				var again object // as a reader of the text has it
				if err := json.Unmarshal(text, &again); err != nil {
					t.Fatal(err)
				}
				document, err := parse(string(text))
				if err != nil {
					t.Fatalf("%v: %s", err, text)
				}
				sides[side], parsed[side], texts = append(sides[side], again), append(parsed[side], document), append(texts, fmt.Sprint(side, " ", string(text)))
			}
		}
		got, want := Authorize(r, same, parsed[0], parsed[1]).Allowed, naiveAuthorize(c, same, r, sides[0], sides[1])
		if got != want {
			t.Fatalf("case %d of seed %d: allowed is %v, want %v: %+v\n%s", i, seed, got, want, r, strings.Join(texts, "\n"))
		}
		if got {
			allowed++
		}
	}
	if allowed < cases/20 || allowed > cases/2 {
		t.Errorf("%d of %d cases are allowed: the cases are too much alike", allowed, cases)
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	compareEvaluators(t, 2000, 1)
}
