// Package policy evaluates the policies that Amazon ECR and IAM know: repository policies, registry policies, and the
// policies of users and roles.
//
// A [Document] decides about a [Request]: it allows it, denies it, or does not concern it. [Authorize] makes one verdict of
// the decisions of several documents. A condition that this package does not know is never ignored: it allows nothing, and
// a statement that denies holds.
//
// Source: IAM user guide, policy evaluation logic and JSON policy elements reference.
package policy

import (
	"fmt"
	"strings"

	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

// A Decision is what a document says about a request. The greater one wins.
type Decision int

// The decisions.
const (
	NotConcerned Decision = iota // no statement matches
	// Delegated means that a resource policy allows the account of the caller, but does not name the caller: the policies
	// of the caller decide.
	Delegated
	Allowed
	Denied
)

// A Request is one call, as policies see it.
type Request struct {
	Principal string // ARN of the caller: a user, a role session, or the root of an account
	Action    string // such as ecr:PutImage
	Resource  string // ARN; "*" for a call that concerns no resource
	// Context has the values of the condition keys, by the key in lower case. A key that is missing is not in the request.
	Context map[string][]string
}

// A Document is a policy.
type Document struct{ statements []statement }

type statement struct {
	repopolicy.Statement
	variables  bool // the version of the document has variables
	conditions []condition
}

// ParseResource reads a repository or registry policy.
func ParseResource(text string) (*Document, error) { return parse(text, repopolicy.Parse) }

// ParseIdentity reads a policy of a user or role.
func ParseIdentity(text string) (*Document, error) { return parse(text, repopolicy.ParseIdentity) }

// DenyAll returns a policy that denies everything: the one to use for a text that is not understood.
func DenyAll() *Document {
	return &Document{statements: []statement{{Statement: repopolicy.Statement{Effect: "Deny"}}}}
}

func parse(text string, read func([]byte) (repopolicy.Policy, error)) (*Document, error) {
	written, err := read([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	d := &Document{}
	for _, w := range written.Statements {
		s := statement{Statement: w, variables: written.Version == repopolicy.VersionWithVariables}
		for operator, keys := range w.Conditions {
			for key, wanted := range keys {
				s.conditions = append(s.conditions, newCondition(operator, key, wanted))
			}
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

// Decide returns what the document says about a request. A statement that denies wins over every one that allows.
func (d *Document) Decide(r Request) Decision {
	out := NotConcerned
	for _, s := range d.statements {
		out = max(out, s.decide(r))
	}
	return out
}

func (s statement) decide(r Request) Decision {
	named, account := true, false
	switch {
	case s.Principals != nil:
		named, account = matchPrincipals(s.Principals, r.Principal)
	case s.NotPrincipals != nil:
		// A list that has the account alone does not except its users: IAM user guide, NotPrincipal.
		excepted, _ := matchPrincipals(s.NotPrincipals, r.Principal)
		named = !excepted
	}
	matches := (named || account) &&
		(s.Actions == nil || matchActions(s.Actions, r.Action)) &&
		(s.NotActions == nil || !matchActions(s.NotActions, r.Action)) &&
		(s.Resources == nil || s.matchResources(s.Resources, r)) &&
		(s.NotResources == nil || !s.matchResources(s.NotResources, r))
	deny := s.Effect == "Deny"
	for _, c := range s.conditions {
		matches = matches && c.holds(r.Context, s.variables, deny)
	}
	switch {
	case !matches:
		return NotConcerned
	case deny:
		return Denied
	case named:
		return Allowed
	default:
		return Delegated
	}
}

func matchActions(patterns []string, action string) bool {
	for _, p := range patterns {
		if matchText(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

func (s statement) matchResources(patterns []string, r Request) bool {
	for _, p := range patterns {
		if text, ok := expand(p, r.Context, s.variables); ok && text.match(r.Resource) {
			return true
		}
	}
	return false
}

// A Verdict is what all policies together say about a call.
type Verdict struct {
	Allowed bool
	// Reason is the end of the message of a refusal, as IAM has it: "because no identity-based policy allows the
	// ecr:PutImage action".
	Reason string
}

// Authorize decides about a call with the policies of the caller and those of what it concerns. Within an account, one
// policy that allows is enough; otherwise both sides must allow. Source: IAM user guide, policy evaluation logic, and
// troubleshooting access denied errors.
func Authorize(r Request, sameAccount bool, identity, resource []*Document) Verdict {
	mine, theirs := NotConcerned, NotConcerned
	for _, d := range identity {
		mine = max(mine, d.Decide(r))
	}
	for _, d := range resource {
		theirs = max(theirs, d.Decide(r))
	}
	switch {
	case mine == Denied:
		return Verdict{Reason: "with an explicit deny in an identity-based policy"}
	case theirs == Denied:
		return Verdict{Reason: "with an explicit deny in a resource-based policy"}
	case sameAccount && (mine == Allowed || theirs == Allowed):
		return Verdict{Allowed: true}
	case !sameAccount && theirs == NotConcerned:
		return Verdict{Reason: "because no resource-based policy allows the " + r.Action + " action"}
	case mine != Allowed:
		return Verdict{Reason: "because no identity-based policy allows the " + r.Action + " action"}
	}
	return Verdict{Allowed: true}
}
