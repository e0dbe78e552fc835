package repopolicy

import (
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/wildcard"
)

// OpenStatement is a statement that lets everybody in: any AWS account.
type OpenStatement struct {
	Number int // from 1
	Sid    string
	// Write is set if the statement allows to push or delete images, or to change the repository.
	Write bool
}

// Open returns the statements that allow something to everybody. One is not open if it has a
// condition that fixes who, or from where, for certain, or if another statement denies its
// actions to all others. Statements that only networks narrow are open if these networks
// together are too large.
func (p Policy) Open() []OpenStatement {
	open := make([]bool, len(p.Statements))
	var byAddress []int // the statements that only networks narrow
	var together networks
	for i, s := range p.Statements {
		if s.Effect != "Allow" || !s.Everybody() || narrowsCallers(s.Conditions) ||
			slices.ContainsFunc(p.Statements, func(deny Statement) bool { return deny.shuts(s) }) {
			continue
		}
		if n, ok := smallestNetworks(s.Conditions); ok {
			byAddress = append(byAddress, i)
			together = append(together, n...)
			continue
		}
		open[i] = true
	}
	if !together.few() {
		for _, i := range byAddress {
			open[i] = true
		}
	}
	var statements []OpenStatement
	for i, s := range p.Statements {
		if open[i] {
			statements = append(statements, OpenStatement{Number: i + 1, Sid: s.Sid, Write: s.writes()})
		}
	}
	return statements
}

// Everybody reports whether the statement is about all principals, or about all but some.
func (s Statement) Everybody() bool {
	return s.NotPrincipals != nil || anyone(s.Principals)
}

func anyone(kinds map[string][]string) bool {
	for kind, names := range kinds {
		if kind == "*" || slices.Contains(names, "*") {
			return true
		}
	}
	return false
}

// writeActions are those of a repository that are not only reading.
var writeActions = []string{
	"ecr:putimage", "ecr:initiatelayerupload", "ecr:uploadlayerpart", "ecr:completelayerupload", "ecr:batchdeleteimage",
	"ecr:deleterepository", "ecr:setrepositorypolicy", "ecr:deleterepositorypolicy", "ecr:putlifecyclepolicy",
	"ecr:deletelifecyclepolicy", "ecr:putimagetagmutability", "ecr:putimagescanningconfiguration", "ecr:updateimagestorageclass",
	"ecr:replicateimage", "ecr:batchimportupstreamimage", "ecr:createrepository", "ecr:tagresource", "ecr:untagresource",
	"ecr:startimagescan", "ecr:startlifecyclepolicypreview",
}

func (s Statement) writes() bool {
	matched := func(patterns []string, action string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return matchesAction(pattern, action) })
	}
	return slices.ContainsFunc(writeActions, func(action string) bool {
		if s.NotActions != nil {
			return !matched(s.NotActions, action)
		}
		return matched(s.Actions, action)
	})
}

// matchesAction ignores case and reads ? as *, which matches at least as much.
func matchesAction(pattern, action string) bool {
	return wildcard.Match(strings.ReplaceAll(strings.ToLower(pattern), "?", "*"), strings.ToLower(action))
}

// shuts reports whether the statement denies everybody but some callers all that another allows.
func (s Statement) shuts(allowed Statement) bool {
	if s.Effect != "Deny" {
		return false
	}
	actions := allowed.Actions
	if allowed.NotActions != nil {
		actions = []string{"ecr:*"}
	}
	for _, action := range actions {
		// NotAction shuts nothing for certain. What the pattern of the Deny matches as a text, it matches in all its meanings.
		if !slices.ContainsFunc(s.Actions, func(pattern string) bool {
			return !strings.Contains(pattern, "?") && matchesAction(pattern, action)
		}) {
			return false
		}
	}
	switch {
	case s.NotPrincipals != nil:
		return len(s.Conditions) == 0 && !anyone(s.NotPrincipals)
	case !anyone(s.Principals):
		return false
	}
	return len(s.Conditions) == 0 || spares(s.Conditions)
}

// callerKeys fix who calls, or from which network of AWS or for which resource a call is made.
// aws:VpcSourceIp is none: everybody can have the private address. See
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html.
var callerKeys = []string{
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:userid",
	"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths",
	"aws:sourcevpc", "aws:sourcevpce",
}

// addressKey fixes from which addresses a call is made.
const addressKey = "aws:sourceip"

var (
	narrowing = map[string]bool{ // operators, and whether * is a wildcard in their values
		"stringequals": false, "stringequalsignorecase": false, "stringlike": true, "arnequals": true, "arnlike": true,
	}
	sparing = map[string]bool{
		"stringnotequals": false, "stringnotequalsignorecase": false, "stringnotlike": true, "arnnotequals": true, "arnnotlike": true,
	}
)

// narrowingOperator is the operator of a condition of an Allow, as the maps have it. One with
// IfExists or ForAllValues is not among them: it holds too where there is no such key.
func narrowingOperator(operator string) string {
	return strings.TrimPrefix(strings.ToLower(operator), "foranyvalue:")
}

// narrowsCallers reports whether one of the conditions of an Allow holds for certain callers only.
func narrowsCallers(conditions map[string]map[string][]string) bool {
	for operator, keys := range conditions {
		wildcards, ok := narrowing[narrowingOperator(operator)]
		if !ok {
			continue
		}
		for key, values := range keys {
			if fixesCaller(key, values, wildcards) {
				return true
			}
		}
	}
	return false
}

// smallestNetworks returns the networks from which the conditions of an Allow hold, all of which
// have to hold; ok is false if these are too large, or any.
func smallestNetworks(conditions map[string]map[string][]string) (smallest networks, ok bool) {
	for operator, keys := range conditions {
		if narrowingOperator(operator) != "ipaddress" {
			continue
		}
		for key, values := range keys {
			n, few := fixedNetworks(key, values)
			if few && (!ok || n.size() < smallest.size()) {
				smallest, ok = n, true
			}
		}
	}
	return smallest, ok
}

// spares reports whether the condition of a Deny, which has to be the only one, does not hold for
// certain callers only.
func spares(conditions map[string]map[string][]string) bool {
	if len(conditions) != 1 {
		return false
	}
	for operator, keys := range conditions {
		if len(keys) != 1 {
			return false
		}
		name := strings.TrimSuffix(strings.ToLower(operator), "ifexists")
		for key, values := range keys {
			if name == "notipaddress" {
				_, few := fixedNetworks(key, values)
				return few
			}
			wildcards, ok := sparing[name]
			return ok && fixesCaller(key, values, wildcards)
		}
	}
	return false
}

// fixesCaller reports whether all values of a key are of certain callers.
func fixesCaller(key string, values []string, wildcards bool) bool {
	return slices.Contains(callerKeys, strings.ToLower(key)) && len(values) > 0 &&
		!slices.ContainsFunc(values, func(v string) bool { return !fixed(v, wildcards) })
}

var (
	accountOfARN = lazyregexp.New(`^arn:[^:*?]+:[^:*?]+:[^:]*:[0-9]{12}:`)
	// The ID of an organization or of a principal, before what may be anything.
	uniqueStart = lazyregexp.New(`^(?:o-[a-z0-9]{10,32}/|A[A-Z0-9]{15,}:)`)
)

// fixed reports whether a value is of certain callers.
func fixed(value string, wildcards bool) bool {
	switch {
	case value == "" || strings.Contains(value, "${"):
		return false
	case wildcards && strings.ContainsAny(value, "*?"):
		return accountOfARN.MatchString(value) || uniqueStart.MatchString(value)
	}
	return true
}
