package sign

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// Action is what a policy says about the images of a repository.
type Action string

// The actions.
const (
	ActionAccept Action = "accept" // they need no signature
	ActionReject Action = "reject" // none is taken
	ActionVerify Action = "verify" // they must be signed
)

// Enforcement describes what becomes of an image that is not verified. The words are those of
// the configuration that rules may be written in.
type Enforcement string

// The ways of enforcement.
const (
	EnforceRequired Enforcement = "REQUIRED" // it is refused
	EnforceWarn     Enforcement = "WARN"     // it is taken with a warning
	EnforceNone     Enforcement = "NONE"     // nothing is verified
)

// Rule is what a policy says about one repository.
type Rule struct {
	Scope  string // as the policy has it; "" if no rule is about the repository
	Action Action
	// Enforcement is REQUIRED or WARN if Action is verify, REQUIRED if it is reject, NONE
	// if it is accept. With WARN whatever keeps an image from being verified is a warning:
	// also a key that cannot be had.
	Enforcement Enforcement
	// Sign is the key with which a push signs, nil if it does not.
	Sign *SigningKey

	keys             []policyKey
	requirements     Requirements // without Keys and Repository
	multiArch        bool
	signedRepository string
	dir              string // of the policy
	repository       string // that was asked for
}

// SigningKey is a key of AWS KMS with which a push signs.
type SigningKey struct {
	Name      string // in the policy
	Reference string // as [ParseKMSReference] reads it

	key policyKey
}

// Fingerprint is that which the policy says the key has, "" if it says none. Who signs
// must compare it.
func (k *SigningKey) Fingerprint() digest.Digest { return digest.Digest(k.key.Fingerprint) }

// The values of signedRepository that are no name.
const (
	signedAny  = "any"
	signedSame = "same"
)

// Requirements loads the keys of a rule that says verify, and returns what it requires. Two
// names of one key are an error if not enough different keys are left.
func (r Rule) Requirements(ctx context.Context, load KeyLoader) (Requirements, error) {
	if r.Action != ActionVerify {
		return Requirements{}, fmt.Errorf("%s: the policy says %s, which requires no signature", r.repository, r.Action)
	}
	required := r.requirements
	for _, k := range r.keys {
		key, err := k.load(ctx, r.dir, load)
		if err != nil {
			return Requirements{}, fmt.Errorf("policy, scope %s: %w", r.Scope, err)
		}
		required.Keys = append(required.Keys, key)
	}
	if _, err := required.check(); err != nil {
		return Requirements{}, fmt.Errorf("policy, scope %s: %w", r.Scope, err)
	}
	switch r.signedRepository {
	case "", signedAny:
	case signedSame:
		required.Repository = r.repository
	default:
		required.Repository = r.signedRepository
	}
	return required, nil
}

// SignOptions are those with which a push signs, so that its signature is what the rule
// requires: in the first of the rule's formats that can be written.
func (r Rule) SignOptions() Options {
	opts := Options{Annotations: r.requirements.Annotations, Recursive: r.multiArch}
	for _, f := range r.requirements.Formats {
		if f == FormatBundle || f == FormatLegacy {
			opts.Formats = []Format{f}
			break
		}
	}
	if r.signedRepository != signedAny && r.signedRepository != signedSame {
		opts.Repository = r.signedRepository
	}
	return opts
}
