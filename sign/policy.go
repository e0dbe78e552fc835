package sign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
)

// Policy says for each repository whose signatures an image must have, and with which
// key a push signs. People write it in YAML or JSON: docs/signing-policy.md.
type Policy struct {
	// Dir is the directory to which paths of keys are relative; "" is the current one.
	Dir string

	reject bool // what no rule is about
	rules  []policyRule
}

// maxPolicySize bounds a policy, in bytes.
const maxPolicySize = 1 << 20

// ReadPolicy reads the policy in a file; its paths are relative to the file.
func ReadPolicy(name string) (*Policy, error) {
	f, err := files.Open(context.Background(), name)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	defer f.Close()
	p, err := ParsePolicy(f)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	p.Dir = filepath.Dir(name)
	return p, nil
}

// ParsePolicy reads a policy. A member that is not known, a scope twice, and what can
// never be satisfied are errors, all of which are reported.
func ParsePolicy(r io.Reader) (*Policy, error) {
	limited := &io.LimitedReader{R: r, N: maxPolicySize + 1}
	var doc struct {
		Version int                  `yaml:"version"`
		Default string               `yaml:"default"`
		Keys    map[string]policyKey `yaml:"keys"`
		Rules   []ruleDocument       `yaml:"rules"`
	}
	err := strictyaml.Decode(limited, &doc)
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("it has more than %d bytes", maxPolicySize)
	case err != nil:
		return nil, err
	case doc.Version == 0:
		return nil, errors.New("version is missing; write version: 1")
	case doc.Version != 1:
		return nil, fmt.Errorf("version %d is not known; write version: 1", doc.Version)
	case doc.Default != "" && doc.Default != "accept" && doc.Default != "reject":
		return nil, fmt.Errorf("default: %q is neither accept nor reject", doc.Default)
	}
	keys := keyring(doc.Keys)
	problems := []error{keys.check()}
	p := &Policy{reject: doc.Default != "accept"}
	for i, d := range doc.Rules {
		rule, err := d.rule(keys)
		if err != nil {
			problems = append(problems, fmt.Errorf("rule %d, %s: %w", i+1, d.name(), err))
			continue
		}
		same := func(other policyRule) bool { return other.scope.pattern == rule.scope.pattern }
		if slices.ContainsFunc(p.rules, same) {
			problems = append(problems, fmt.Errorf("rule %d, %s: another rule has the same scope", i+1, d.name()))
		}
		p.rules = append(p.rules, rule)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return p, nil
}

// Rule returns the rule for a repository, HOST/REPOSITORY, or an OCI layout, oci:DIR.
// aliases are other names of the same: that of a registry of Amazon ECR by its own host
// if it was named by another one. Of the rules whose scope any name matches, it is the
// one whose scope says most: the most characters that are no wildcards in the name of
// the repository; among equals in that of the host; among equals the one with fewer
// wildcards, "*" before "**"; and then the first.
func (p *Policy) Rule(repository string, aliases ...string) Rule {
	names := namesOf(append([]string{repository}, aliases...))
	var best *policyRule
	for i := range p.rules {
		rule := &p.rules[i]
		if slices.ContainsFunc(names, rule.scope.matches) && (best == nil || rule.scope.compare(best.scope) > 0) {
			best = rule
		}
	}
	if best == nil {
		r := Rule{Action: ActionAccept, Enforcement: EnforceNone, repository: repository}
		if p.reject {
			r.Action, r.Enforcement = ActionReject, EnforceRequired
		}
		return r
	}
	r := best.Rule
	r.dir, r.repository = p.Dir, repository
	r.Scope = cmp.Or(r.Scope, best.scope.pattern)
	return r
}
