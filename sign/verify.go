package sign

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
)

// Requirements are what an image must satisfy. A signature counts if one of Keys
// made it over this image and it has all Annotations.
type Requirements struct {
	Keys []*Key
	// Threshold is how many different keys must have signed; 0 means 1.
	Threshold int
	// Formats are those that count; none is all.
	Formats []Format
	// Annotations must be signed with the image, with these values.
	Annotations map[string]string
	// PredicateTypes are those of attestations, each of which must be there, signed
	// by one of Keys.
	PredicateTypes []string
	// AttestationsOnly asks for no signature but for PredicateTypes.
	AttestationsOnly bool
	// Repository, if not "", is the name that the payload of a legacy signature must
	// have. Bundles name no repository.
	Repository string
	// Platforms asks of every image of an index what is asked of the index.
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
	PredicateType string            `json:"predicateType,omitempty"`
	Annotations   map[string]string `json:"annotations"`          // that were signed
	Repository    string            `json:"repository,omitempty"` // that a legacy payload names
}

// Rejection is a signature that does not count.
type Rejection struct {
	Format   Format        `json:"format,omitempty"`
	Manifest digest.Digest `json:"manifest"`
	Reason   string        `json:"reason"`
}

// Verify finds the signatures of the image that m is and tells whether they are
// what is required. The error wraps [ErrUnsigned] or [ErrUntrusted] where the
// image is to blame; any other means that it could not be found out. What was
// found is returned with these two as well.
func Verify(ctx context.Context, src Source, m transfer.Manifest, r Requirements) (Verification, error) {
	return Verification{}, errors.ErrUnsupported
}
