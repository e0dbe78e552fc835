package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Requirements are what an image must satisfy. A signature counts if one of Keys
// made it over this image and it has all Annotations.
type Requirements struct {
	Keys []*Key
	// Threshold is how many different keys must have signed; 0 means 1.
	Threshold int
	// Formats are those that count, of signatures and attestations; none is all.
	Formats []Format
	// Algorithms are those that count; none is all.
	Algorithms []Algorithm
	// Annotations must be signed with the image, with these values. They are asked of
	// signatures and not of attestations.
	Annotations map[string]string
	// PredicateTypes are those of attestations, each of which must be there, signed
	// by one of Keys.
	PredicateTypes []string
	// AttestationsOnly asks for no signature but for PredicateTypes.
	AttestationsOnly bool
	// Repository, if not "", is the name that the payload of a legacy signature must
	// have. Bundles name no repository.
	Repository string
	// Platforms asks of every image of an index, and of indexes in it, what is asked of
	// the index. BuildKit's attestations in the index are no images.
	Platforms bool
}

// Status is what came out of a verification.
type Status string

// The outcomes.
const (
	StatusVerified  Status = "verified"
	StatusUnsigned  Status = "unsigned"
	StatusUntrusted Status = "untrusted"
)

// Verification is what was found about one image. Its JSON form is stable: fields
// are only added.
type Verification struct {
	Digest       digest.Digest  `json:"digest"`
	Status       Status         `json:"status"`
	Signatures   []Signature    `json:"signatures"`          // that count
	Attestations []Signature    `json:"attestations"`        // that count
	Rejected     []Rejection    `json:"rejected"`            // that do not
	Platforms    []Verification `json:"platforms,omitempty"` // of an index
	NotChecked   []string       `json:"notChecked"`          // e.g. "transparency log"
}

// Signature is a signature or attestation of an image that a key has made.
type Signature struct {
	Format        Format            `json:"format"`
	Manifest      digest.Digest     `json:"manifest"`      // that holds it
	Tag           string            `json:"tag,omitempty"` // of that manifest
	Key           string            `json:"key"`           // its name
	Fingerprint   digest.Digest     `json:"fingerprint"`   // of the key
	Algorithm     Algorithm         `json:"algorithm"`
	PredicateType string            `json:"predicateType,omitempty"`
	Annotations   map[string]string `json:"annotations"`          // that were signed
	Repository    string            `json:"repository,omitempty"` // that a legacy payload names
	// Predicate is what an attestation says whose type is in
	// Requirements.PredicateTypes, one JSON value; nil if it says nothing.
	Predicate json.RawMessage `json:"-"`
}

// Rejection is a signature that does not count.
type Rejection struct {
	Format   Format        `json:"format,omitempty"`
	Manifest digest.Digest `json:"manifest,omitempty"`
	Tag      string        `json:"tag,omitempty"` // of that manifest
	Reason   string        `json:"reason"`
}

// Verify finds the signatures of the image that m is and reports whether they are
// what is required. The error wraps [ErrUnsigned] or [ErrUntrusted] where the
// image is to blame; any other means that it could not be found out. What was
// found is returned with these two as well.
//
// A signature that is malformed or about another image does not count, and does not
// keep others from counting. One that is listed and missing does not either, but an image
// that is not verified without it is neither unsigned nor untrusted: the error wraps
// [ErrMissing]. What the registry refuses to show keeps others from counting: it is
// an error, since nobody knows what it is.
func Verify(ctx context.Context, src Source, m content.Manifest, r Requirements) (Verification, error) {
	keys, err := r.check()
	if err != nil {
		return Verification{}, err
	}
	r.Keys = keys
	// What is no image is neither signed nor unsigned.
	if m, err = content.CheckManifest(m); err != nil {
		return Verification{}, fmt.Errorf("%s@%s: %w", src, m.Descriptor.Digest, err)
	}
	v := checker{src: src, requirements: r}
	return v.verify(ctx, m, 0)
}

// check refuses requirements that nothing can satisfy, and returns the keys, each once.
func (r Requirements) check() ([]*Key, error) {
	var keys []*Key
	for _, k := range r.Keys {
		if k == nil {
			return nil, errors.New("a key to verify signatures with is nil")
		}
		if !slices.ContainsFunc(keys, func(other *Key) bool { return other.Fingerprint() == k.Fingerprint() }) {
			keys = append(keys, k)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("there is no key to verify signatures with")
	case r.Threshold < 0 || r.Threshold > len(keys):
		return nil, fmt.Errorf("signatures by %d keys are required, of %d different ones", r.Threshold, len(keys))
	case r.AttestationsOnly && len(r.PredicateTypes) == 0:
		return nil, errors.New("attestations are required, but of no predicate type")
	case slices.Contains(r.PredicateTypes, signaturePredicateType):
		return nil, fmt.Errorf("the predicate type %s is that of signatures, not of attestations", signaturePredicateType)
	}
	return keys, nil
}
