package sign

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Blob is a file that is signed or verified by itself, outside of any registry: its
// content or, where only that is at hand, its digest.
type Blob struct {
	// Content is read to its end, once.
	Content io.Reader
	// Digest counts if Content is nil: sha256, or sha384 or sha512 for a key that
	// signs that hash. A key of Ed25519 needs the content.
	Digest digest.Digest
}

func (b Blob) check() error {
	if b.Content == nil && b.Digest == "" {
		return errors.New("there is neither content nor a digest to sign or verify")
	}
	return nil
}

// SignedBlob is the signature of a file.
type SignedBlob struct {
	// Digest is the SHA-256 of the file, or the digest that was signed in its place.
	Digest digest.Digest `json:"digest"`
	// Algorithm is how the signature was computed.
	Algorithm Algorithm `json:"algorithm"`
	// Signature is the signature alone, as `openssl dgst -verify` takes it.
	Signature []byte `json:"-"`
	// Bundle is a Sigstore bundle v0.3 with the signature, as `cosign verify-blob` takes it.
	Bundle []byte `json:"-"`
}

// SignBlob signs a file with the hash function of the key (see [ParsePrivateKey]).
// The signature is verified before it is returned.
func SignBlob(ctx context.Context, b Blob, signer *Signer) (SignedBlob, error) {
	if err := b.check(); err != nil {
		return SignedBlob{}, err
	}
	first := algorithmsOf(signer.Key.Public)[:1] // the one that signs; an RSA key hashes the same in both
	hash := first[0].hash()
	file, err := sumsOf(ctx, b, []crypto.Hash{hash})
	if err == nil {
		err = file.judges(signer.Key, first)
	}
	if err != nil {
		return SignedBlob{}, err
	}
	made := bundle{hint: signer.Key.hint(), fileDigest: file.digest()}
	if hash == 0 {
		made.signature, err = signer.sign(ctx, file.whole)
	} else {
		made.fileDigest = digest.NewDigestFromBytes(digestAlgorithms[hash], file.byHash[hash])
		made.signature, err = signer.sign(ctx, nil, options.WithDigest(file.byHash[hash]))
	}
	if err != nil {
		return SignedBlob{}, err
	}
	result := SignedBlob{Digest: file.digest(), Signature: made.signature}
	var ok bool
	if result.Algorithm, ok = file.signedBy(signer.Key, made.signature, nil); !ok {
		return SignedBlob{}, fmt.Errorf("signing with key %s: what came back is not a signature of this file by the key", signer.Key.Name)
	}
	result.Bundle, err = encodeBundle(made)
	return result, err
}

// BlobSubject is a file that an attestation is about.
type BlobSubject struct {
	Name   string        // for people
	Digest digest.Digest // sha256
}

// AttestBlobs returns a Sigstore bundle v0.3 with a signed statement about files, such
// as how they were built: a DSSE envelope, as `cosign attest-blob` writes it.
func AttestBlobs(ctx context.Context, subjects []BlobSubject, signer *Signer, p Predicate) ([]byte, error) {
	data, err := p.check()
	if err != nil {
		return nil, err
	}
	if len(subjects) == 0 {
		return nil, errors.New("an attestation is about at least one file")
	}
	s := statement{predicateType: p.Type, predicate: data}
	for _, each := range subjects {
		if _, err := parseDigest(string(each.Digest)); err != nil {
			return nil, fmt.Errorf("%s: %w", each.Name, err)
		}
		s.subjects = append(s.subjects, subject{name: each.Name, digest: each.Digest})
	}
	made := bundle{hint: signer.Key.hint()}
	if made.payload, err = encodeStatement(s); err != nil {
		return nil, err
	}
	if made.signature, err = signer.sign(ctx, made.signed()); err != nil {
		return nil, err
	}
	return encodeBundle(made)
}

// BlobRequirements are what the signature of a file must satisfy.
type BlobRequirements struct {
	Keys       []*Key      // one of which must have signed
	Algorithms []Algorithm // that count; none is all
	// PredicateType, if not "", asks for an attestation of this type instead of a
	// signature.
	PredicateType string
}

// BlobVerification is what was found about a file. Its JSON form is stable: fields are
// only added.
type BlobVerification struct {
	Digest      digest.Digest `json:"digest"`                // SHA-256 of the file, or the digest that was verified in its place
	Status      Status        `json:"status"`                // verified or untrusted
	Format      Format        `json:"format,omitempty"`      // FormatBundle, FormatLegacy or FormatPlain
	Key         string        `json:"key,omitempty"`         // its name
	Fingerprint digest.Digest `json:"fingerprint,omitempty"` // of the key
	Algorithm   Algorithm     `json:"algorithm,omitempty"`
	// PredicateType is that of the attestation that was asked for.
	PredicateType string   `json:"predicateType,omitempty"`
	Reason        string   `json:"reason,omitempty"` // why it is untrusted
	NotChecked    []string `json:"notChecked"`       // e.g. "transparency log"
	// Predicate is what the attestation says, one JSON value; nil if it says nothing.
	Predicate json.RawMessage `json:"-"`
}

// VerifyBlob reports whether one of the keys has made a signature over a file. The
// signature is a Sigstore bundle v0.3, the older bundle of cosign, or the bytes of the
// signature alone, in base64 or as they are.
//
// The error wraps [ErrUntrusted] if the signature is to blame, also if it cannot be
// read; any other means that it could not be found out. A bundle with an attestation is
// not a signature of the file.
func VerifyBlob(ctx context.Context, b Blob, signature []byte, r BlobRequirements) (BlobVerification, error) {
	requirements := Requirements{Keys: r.Keys, Algorithms: r.Algorithms}
	if r.PredicateType != "" {
		requirements.PredicateTypes, requirements.AttestationsOnly = []string{r.PredicateType}, true
	}
	keys, err := requirements.check()
	if err == nil {
		err = b.check()
	}
	if err != nil {
		return BlobVerification{}, err
	}
	requirements.Keys = keys
	read, readErr := decodeBlobSignature(signature)
	hashes := hashesOf(keys, nil) // also of those that do not count, for the reason
	if h, _, err := decodeDigest(read.fileDigest); err == nil {
		hashes = append(hashes, h)
	}
	file, err := sumsOf(ctx, b, hashes)
	if err != nil {
		return BlobVerification{}, err
	}
	v := BlobVerification{
		Digest: file.digest(), Status: StatusUntrusted, Format: read.format, PredicateType: r.PredicateType,
		NotChecked: slices.Clone(notChecked),
	}
	if readErr != nil {
		return v.refused(readErr.Error())
	}
	e, reason := read.evidence(file, r.PredicateType)
	if reason != "" {
		return v.refused(reason)
	}
	c := checker{requirements: requirements}
	key, algorithm := c.signedBy(e)
	if key == nil {
		for _, k := range keys {
			if err := file.judges(k, r.Algorithms); e.file != nil && err != nil {
				return BlobVerification{}, err
			}
		}
		return v.refused(c.notByAny(e))
	}
	v.Status, v.Key, v.Fingerprint, v.Algorithm, v.Predicate = StatusVerified, key.Name, key.Fingerprint(), algorithm, e.predicate
	return v, nil
}

// refused ends a verification.
func (v BlobVerification) refused(reason string) (BlobVerification, error) {
	v.Reason = reason
	return v, fmt.Errorf("%w: %s", ErrUntrusted, reason)
}
