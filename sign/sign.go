package sign

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
)

// Options say how an image is signed. The zero value writes one bundle for the
// image itself.
type Options struct {
	// Formats are those that are written, FormatBundle and FormatLegacy; none is
	// FormatBundle.
	Formats []Format
	// Annotations are signed with the image.
	Annotations map[string]string
	// Repository is the name, HOST/REPOSITORY, that a legacy payload says the image
	// is in; "" is the name of the store.
	Repository string
	// Recursive signs the images of an index, and of indexes in it, too.
	Recursive bool
	// Force signs again what this key has signed with the same annotations.
	Force bool
	// Now is the clock for the creation time, which is not signed; nil is time.Now.
	Now func() time.Time
}

// Signed is what became of one format of one image.
type Signed struct {
	Digest    digest.Digest `json:"digest"`        // of the image that was signed
	Format    Format        `json:"format"`        // of the signature
	Signature digest.Digest `json:"signature"`     // of the manifest that holds it
	Tag       string        `json:"tag,omitempty"` // of that manifest; "" if it has none
	Existed   bool          `json:"existed"`       // nothing was written: the key had signed it so before
	Bundle    []byte        `json:"-"`             // of FormatBundle
}

// Sign signs the image that m is, in the store that holds it. Nothing is written
// unless all signatures could be made: images first, their index last.
func Sign(ctx context.Context, store Store, m transfer.Manifest, signer *Signer, opts Options) ([]Signed, error) {
	return nil, errors.ErrUnsupported
}

// Predicate is what an attestation says of an image:
// https://github.com/in-toto/attestation/blob/main/spec/v1/README.md.
type Predicate struct {
	Type    string          // a URI
	Content json.RawMessage // one JSON value
}

// Attest attaches a signed statement about the image that m is. Recursive and
// Formats of opts do not count: an attestation is a bundle.
func Attest(ctx context.Context, store Store, m transfer.Manifest, signer *Signer, p Predicate, opts Options) (Signed, error) {
	return Signed{}, errors.ErrUnsupported
}
