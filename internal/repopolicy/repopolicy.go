// Package repopolicy reads the repository and registry policies of Amazon ECR and the policies of identities: whether two
// mean the same, and which of their statements let in everybody. It fails closed: a policy that it does not understand is
// an error.
package repopolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// MaxLength is the greatest length of a repository policy in characters. Source:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html.
const MaxLength = 10_240

// Policy is a repository policy. Source of its grammar:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html.
type Policy struct {
	Version    string
	Statements []Statement
}

// Statement is a statement of a policy, which allows or denies actions.
type Statement struct {
	Sid    string
	Effect string // Allow or Deny
	// Principals are grouped by their kind: AWS, Service, Federated; "*" alone is of kind AWS.
	// One of Principals and NotPrincipals is nil, and one of Actions and NotActions.
	Principals    map[string][]string
	NotPrincipals map[string][]string
	Actions       []string
	NotActions    []string
	// Resources and NotResources are those of a registry policy; one of a repository has none.
	Resources    []string
	NotResources []string
	// Conditions are the values by operator and key. All of them must hold.
	Conditions map[string]map[string][]string
}

// Parse reads the JSON of a repository or registry policy. A name that appears twice in an object, in
// whatever case, is an error, and so is one that policies do not have.
func Parse(text []byte) (Policy, error) { return parse(text, writtenStatement.checkResource) }

// ParseRepository reads the JSON of a policy for a repository. Amazon ECR refuses one with resources: it is about the
// repository that has it.
func ParseRepository(text []byte) (Policy, error) {
	return parse(text, func(w writtenStatement) error {
		if w.Resource != nil || w.NotResource != nil {
			return errors.New("it has a Resource, which the policy of a repository does not have")
		}
		return w.checkResource()
	})
}

// ParseRegistry reads the JSON of a policy for a registry. Amazon ECR refuses one without resources, which are ARNs of
// repositories:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html.
func ParseRegistry(text []byte) (Policy, error) {
	return parse(text, func(w writtenStatement) error {
		if w.Resource == nil && w.NotResource == nil {
			return errors.New("it needs a Resource, such as arn:aws:ecr:REGION:ACCOUNT:repository/*")
		}
		return w.checkResource()
	})
}

// ParseIdentity reads the JSON of a policy of a user or role, whose statements have resources and no principal.
func ParseIdentity(text []byte) (Policy, error) { return parse(text, writtenStatement.checkIdentity) }

func parse(text []byte, check func(writtenStatement) error) (Policy, error) {
	if n := utf8.RuneCount(text); n > MaxLength {
		return Policy{}, fmt.Errorf("it has %d characters; a policy has at most %d", n, MaxLength)
	}
	// AWS does not distinguish the case of the names of condition keys.
	if err := strictjson.CheckFold(text); err != nil {
		return Policy{}, fmt.Errorf("it is not the JSON of a policy: %w", err)
	}
	var written struct {
		Version, ID string
		Statement   json.RawMessage
	}
	if err := known(text, &written); err != nil {
		return Policy{}, fmt.Errorf("it is not the JSON of a policy: %w", err)
	}
	if !slices.Contains([]string{"", versionWithoutVariables, VersionWithVariables}, written.Version) {
		return Policy{}, fmt.Errorf("its Version %q is neither %s nor %s", written.Version, VersionWithVariables, versionWithoutVariables)
	}
	statements, err := oneOrMany[writtenStatement](written.Statement)
	if err != nil {
		return Policy{}, fmt.Errorf("its Statement: %w", err)
	}
	if len(statements) == 0 {
		return Policy{}, errors.New("it has no Statement")
	}
	policy := Policy{Version: written.Version}
	for i, w := range statements {
		s, err := w.statement()
		if err == nil {
			err = check(w)
		}
		if err != nil {
			return Policy{}, fmt.Errorf("statement %d: %w", i+1, err)
		}
		policy.Statements = append(policy.Statements, s)
	}
	return policy, nil
}

// The versions of the policy language. Only the newer one has variables.
const (
	VersionWithVariables    = "2012-10-17"
	versionWithoutVariables = "2008-10-17" // what the absence of a version means
)

// known reads an object that has no other members than v.
func known(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return strictjson.ExplainType(d.Decode(v))
}

func (w writtenStatement) checkResource() error {
	if (w.Principal == nil) == (w.NotPrincipal == nil) {
		return errors.New("it needs either Principal or NotPrincipal")
	}
	if w.Resource != nil && w.NotResource != nil {
		return errors.New("it has both Resource and NotResource")
	}
	return nil
}

func (w writtenStatement) checkIdentity() error {
	if w.Principal != nil || w.NotPrincipal != nil {
		return errors.New("it has a principal, which the policy of a user or role does not have")
	}
	if (w.Resource == nil) == (w.NotResource == nil) {
		return errors.New("it needs either Resource or NotResource")
	}
	return nil
}

type writtenStatement struct {
	Sid, Effect             string
	Principal, NotPrincipal json.RawMessage
	Action, NotAction       json.RawMessage
	Resource, NotResource   json.RawMessage
	Condition               map[string]map[string]json.RawMessage
}

func (w writtenStatement) statement() (Statement, error) {
	s := Statement{Sid: w.Sid, Effect: w.Effect}
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return s, fmt.Errorf("its Effect %q is neither Allow nor Deny", s.Effect)
	case (w.Action == nil) == (w.NotAction == nil):
		return s, errors.New("it needs either Action or NotAction")
	}
	var err error
	if s.Principals, err = principals(w.Principal); err != nil {
		return s, fmt.Errorf("its Principal: %w", err)
	}
	if s.NotPrincipals, err = principals(w.NotPrincipal); err != nil {
		return s, fmt.Errorf("its NotPrincipal: %w", err)
	}
	if s.Actions, err = oneOrMany[string](w.Action); err != nil {
		return s, fmt.Errorf("its Action: %w", err)
	}
	if s.NotActions, err = oneOrMany[string](w.NotAction); err != nil {
		return s, fmt.Errorf("its NotAction: %w", err)
	}
	if s.Resources, err = oneOrMany[string](w.Resource); err != nil {
		return s, fmt.Errorf("its Resource: %w", err)
	}
	if s.NotResources, err = oneOrMany[string](w.NotResource); err != nil {
		return s, fmt.Errorf("its NotResource: %w", err)
	}
	for operator, keys := range w.Condition {
		for key, raw := range keys {
			values, err := oneOrMany[any](raw)
			if err != nil {
				return s, fmt.Errorf("its Condition %s %s: %w", operator, key, err)
			}
			if s.Conditions == nil {
				s.Conditions = map[string]map[string][]string{}
			}
			if s.Conditions[operator] == nil {
				s.Conditions[operator] = map[string][]string{}
			}
			texts := []string{}
			for _, v := range values {
				texts = append(texts, fmt.Sprint(v)) // true and "true" are the same
			}
			s.Conditions[operator][key] = texts
		}
	}
	return s, nil
}

const kindAWS = "AWS"

// principals reads "*" or an object of lists; no text is nil.
func principals(raw json.RawMessage) (map[string][]string, error) {
	if raw == nil {
		return nil, nil
	}
	var all string
	if json.Unmarshal(raw, &all) == nil {
		if all != "*" {
			return nil, fmt.Errorf("%q is not *; write {\"AWS\": ...}", all)
		}
		return map[string][]string{kindAWS: {"*"}}, nil
	}
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(raw, &kinds); err != nil || len(kinds) == 0 {
		return nil, errors.New("it is neither \"*\" nor an object of principals")
	}
	out := map[string][]string{}
	for kind, list := range kinds {
		names, err := oneOrMany[string](list)
		if err != nil {
			return nil, fmt.Errorf("%s is neither a text nor a list of texts; the ID of an account has to be in quotes", kind)
		}
		out[kind] = names
	}
	return out, nil
}

// oneOrMany reads a value or a list of values; no text is no values.
func oneOrMany[T any](raw json.RawMessage) ([]T, error) {
	if raw == nil {
		return nil, nil
	}
	var many []T
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		err := known(raw, &many)
		return many, err
	}
	var one T
	if err := known(raw, &one); err != nil {
		return nil, err
	}
	return []T{one}, nil
}

var rootARN = lazyregexp.New(`^arn:aws[a-z-]*:iam::([0-9]{12}):root$`)

// Same reports whether two repository policies mean the same. The layout of the JSON and the order in
// lists do not matter, nor whether an account is written as its ID or as the ARN of its root user,
// into which Amazon ECR turns it. A text that is no policy is the same as an equal text only.
func Same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	one, err1 := Parse(a)
	other, err2 := Parse(b)
	if err1 != nil || err2 != nil {
		return false
	}
	first, err1 := json.Marshal(one.normalized())
	second, err2 := json.Marshal(other.normalized())
	return err1 == nil && err2 == nil && bytes.Equal(first, second)
}

// normalized returns the policy in the one form that all policies have that mean the same.
func (p Policy) normalized() Policy {
	out := Policy{Version: p.Version}
	if out.Version == "" {
		out.Version = versionWithoutVariables
	}
	normalizedKinds := func(kinds map[string][]string) map[string][]string {
		if kinds == nil {
			return nil
		}
		normal := map[string][]string{}
		for kind, names := range kinds {
			for _, n := range names {
				if found := rootARN.FindStringSubmatch(n); found != nil {
					n = found[1]
				}
				normal[kind] = append(normal[kind], n)
			}
			slices.Sort(normal[kind])
		}
		return normal
	}
	for _, s := range p.Statements {
		s.Principals, s.NotPrincipals = normalizedKinds(s.Principals), normalizedKinds(s.NotPrincipals)
		s.Actions, s.NotActions = sorted(s.Actions), sorted(s.NotActions)
		conditions := map[string]map[string][]string{}
		for operator, keys := range s.Conditions {
			conditions[operator] = map[string][]string{}
			for key, values := range keys {
				conditions[operator][key] = sorted(values)
			}
		}
		s.Conditions = conditions
		out.Statements = append(out.Statements, s)
	}
	return out
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
