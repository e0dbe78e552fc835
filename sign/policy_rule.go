package sign

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ruleDocument is a rule as it is written.
type ruleDocument struct {
	Scope            string         `yaml:"scope"`
	Reject           bool           `yaml:"reject"`
	Keys             []string       `yaml:"keys"`
	Threshold        *int           `yaml:"threshold"`
	Formats          []Format       `yaml:"formats"`
	Algorithms       []Algorithm    `yaml:"algorithms"`
	Annotations      map[string]any `yaml:"annotations"`
	PredicateTypes   []string       `yaml:"predicateTypes"`
	MultiArch        string         `yaml:"multiArch"`
	SignedRepository string         `yaml:"signedRepository"`

	Signing signingDocument `yaml:",inline"`

	// Another form of a rule, of one repository.
	RepositoryName            string           `yaml:"repositoryName"`
	ImageSigningConfiguration *signingDocument `yaml:"imageSigningConfiguration"`
}

// signingDocument reports whether a push signs and whether a pull verifies.
type signingDocument struct {
	SigningEnabled              bool        `yaml:"signingEnabled"`
	KMSKeyID                    string      `yaml:"kmsKeyId"`
	SignatureVerificationPolicy Enforcement `yaml:"signatureVerificationPolicy"`
}

// policyRule is a rule and what it is about.
type policyRule struct {
	Rule
	scope scope
}

// name is how messages call a rule.
func (d ruleDocument) name() string {
	if d.RepositoryName != "" {
		return fmt.Sprintf("repositoryName %q", d.RepositoryName)
	}
	return fmt.Sprintf("scope %q", d.Scope)
}

// rule checks the rule. The error names the field.
func (d ruleDocument) rule(keys keyring) (policyRule, error) {
	parsed, err := d.parseScope()
	if err != nil {
		return policyRule{}, err
	}
	signing := d.Signing
	if d.ImageSigningConfiguration != nil {
		if signing != (signingDocument{}) {
			return policyRule{}, errors.New("imageSigningConfiguration: its members are in the rule as well")
		}
		signing = *d.ImageSigningConfiguration
	}
	r := policyRule{scope: parsed, Rule: Rule{Scope: d.Scope, multiArch: d.MultiArch == multiArchAll, signedRepository: d.SignedRepository}}
	if d.Reject {
		if !d.requiresNothing() || signing != (signingDocument{}) {
			return policyRule{}, errors.New("reject: a rule that rejects has nothing but its scope")
		}
		r.Action, r.Enforcement = ActionReject, EnforceRequired
		return r, nil
	}
	if err := r.takeKeys(d.Keys, signing, keys); err != nil {
		return policyRule{}, err
	}
	if err := r.takeEnforcement(signing.SignatureVerificationPolicy); err != nil {
		return policyRule{}, err
	}
	if err := r.takeRequirements(d); err != nil {
		return policyRule{}, err
	}
	if r.Sign != nil && len(r.requirements.Formats) > 0 && len(r.SignOptions().Formats) == 0 {
		return policyRule{}, errors.New("formats: a push signs as bundle or legacy, and neither counts")
	}
	return r, nil
}

// parseScope returns the scope, or that of a repository with this name on any host.
func (d ruleDocument) parseScope() (scope, error) {
	if d.RepositoryName == "" {
		if d.ImageSigningConfiguration != nil {
			return scope{}, errors.New("repositoryName: it is missing")
		}
		s, err := parseScope(d.Scope)
		if err != nil {
			return scope{}, fmt.Errorf("scope: %w", err)
		}
		return s, nil
	}
	if d.Scope != "" {
		return scope{}, errors.New("repositoryName: the rule has a scope as well")
	}
	s, err := parseScope("*/" + d.RepositoryName)
	if err != nil || strings.Contains(d.RepositoryName, "*") {
		return scope{}, errors.New("repositoryName: it is not the name of a repository, without a host and wildcards; write a scope")
	}
	return s, nil
}

// requiresNothing reports whether nothing is said of signatures.
func (d ruleDocument) requiresNothing() bool {
	return len(d.Keys) == 0 && d.Threshold == nil && len(d.Formats) == 0 && len(d.Algorithms) == 0 && len(d.Annotations) == 0 &&
		len(d.PredicateTypes) == 0 && d.MultiArch == "" && d.SignedRepository == ""
}

// takeKeys finds the keys of the rule. The key that signs is one of them.
func (r *policyRule) takeKeys(names []string, signing signingDocument, keys keyring) error {
	for _, name := range names {
		key, err := keys.find(name)
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		if slices.ContainsFunc(r.keys, key.same) {
			return fmt.Errorf("keys: %q is there twice", name)
		}
		r.keys = append(r.keys, key)
	}
	if signing.KMSKeyID == "" {
		if signing.SigningEnabled {
			return errors.New("kmsKeyId: a push is to sign (signingEnabled), but with which key?")
		}
		return nil
	}
	key, err := keys.findKMS(signing.KMSKeyID)
	if err != nil {
		return fmt.Errorf("kmsKeyId: %w", err)
	}
	if i := slices.IndexFunc(r.keys, key.same); i < 0 {
		r.keys = append(r.keys, key)
	}
	if signing.SigningEnabled {
		r.Sign = &SigningKey{Name: key.name, Reference: key.KMS, key: key}
	}
	return nil
}

// takeEnforcement sets what the rule does.
func (r *policyRule) takeEnforcement(e Enforcement) error {
	if e == "" && len(r.keys) > 0 {
		e = EnforceRequired
	}
	r.Enforcement = e
	switch e {
	case "":
		return errors.New("keys: there are none; name them, or write signatureVerificationPolicy: NONE or reject: true")
	case EnforceNone:
		r.Action = ActionAccept
		return nil
	case EnforceRequired, EnforceWarn:
		r.Action = ActionVerify
		if len(r.keys) == 0 {
			return fmt.Errorf("keys: there are none, and signatureVerificationPolicy is %s", e)
		}
		return nil
	}
	return fmt.Errorf("signatureVerificationPolicy: %q is not one of REQUIRED, WARN, NONE", e)
}

// The values of multiArch.
const (
	multiArchIndex = "index" // the signature of an index counts for its images
	multiArchAll   = "all"   // each image of it is signed as well
)

// takeRequirements checks what signatures must be.
func (r *policyRule) takeRequirements(d ruleDocument) error {
	r.requirements = Requirements{Threshold: 1, Formats: d.Formats, Algorithms: d.Algorithms, PredicateTypes: d.PredicateTypes, Platforms: d.MultiArch == multiArchAll}
	if d.Threshold != nil {
		r.requirements.Threshold = *d.Threshold
		if *d.Threshold < 1 || *d.Threshold > len(r.keys) {
			return fmt.Errorf("threshold: %d keys must have signed, of %d", *d.Threshold, len(r.keys))
		}
	}
	for _, f := range d.Formats {
		if !slices.Contains([]Format{FormatBundle, FormatLegacy, FormatOCI11}, f) {
			return fmt.Errorf("formats: %q is not one of %s, %s, %s", f, FormatBundle, FormatLegacy, FormatOCI11)
		}
	}
	for _, a := range d.Algorithms {
		if !slices.Contains(algorithms, a) {
			return fmt.Errorf("algorithms: %q is not one of %s", a, joined(algorithms))
		}
	}
	for _, t := range d.PredicateTypes {
		if t == "" || t == signaturePredicateType {
			return fmt.Errorf("predicateTypes: %q is not the type of an attestation", t)
		}
	}
	if d.MultiArch != "" && d.MultiArch != multiArchIndex && d.MultiArch != multiArchAll {
		return fmt.Errorf("multiArch: %q is neither %s nor %s", d.MultiArch, multiArchIndex, multiArchAll)
	}
	for name, value := range d.Annotations {
		s, ok := value.(string)
		if !ok {
			return fmt.Errorf("annotations: %s: write its value in quotes", name)
		}
		if r.requirements.Annotations == nil {
			r.requirements.Annotations = map[string]string{}
		}
		r.requirements.Annotations[name] = s
	}
	return r.takeSignedRepository(d.SignedRepository)
}

// takeSignedRepository checks the name that legacy signatures must have.
func (r *policyRule) takeSignedRepository(s string) error {
	switch {
	case s == "", s == signedAny, s == signedSame:
		return nil
	case strings.Contains(s, "*") || !repositoryScope.MatchString(s):
		return fmt.Errorf("signedRepository: %q is not one of %s, %s and HOST/REPOSITORY", s, signedAny, signedSame)
	}
	return nil
}

// joined is a list for a message.
func joined[S ~string](list []S) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
