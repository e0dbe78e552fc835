package sign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// notChecked is what a signature by a key leaves open.
var notChecked = []string{"transparency log", "timestamp", "certificate identity"}

// checker verifies an image and those below it.
type checker struct {
	src          Source
	requirements Requirements
}

// verify verifies one image, and if it is an index and that is asked for, the images
// in it; depth is how many indexes it is below.
func (v checker) verify(ctx context.Context, m content.Manifest, depth int) (Verification, error) {
	findings, err := v.find(ctx, m.Descriptor.Digest)
	if err != nil {
		return Verification{}, err
	}
	result, err := v.judge(findings)
	if err == nil && v.requirements.Platforms {
		return v.verifyPlatforms(ctx, m, result, depth)
	}
	return result, err
}

// findings are what was found about an image.
type findings struct {
	Verification
	signatures   int         // how many there are, good or not
	attestations []string    // predicate types of all
	missing      []Rejection // those that are listed, but not there
}

// find reads and verifies all that is attached to an image.
func (v checker) find(ctx context.Context, image digest.Digest) (findings, error) {
	f := findings{Verification: Verification{
		Digest: image, Signatures: []Signature{}, Attestations: []Signature{}, Rejected: []Rejection{}, NotChecked: slices.Clone(notChecked),
	}}
	attached, err := discover(ctx, v.src, image, content.DigestTagSignatures, content.DigestTagAttestation)
	if err != nil {
		return f, err
	}
	read := make([][]outcome, len(attached))
	for i, a := range attached {
		read[i] = make([]outcome, len(a.layers))
	}
	err = readEvidence(ctx, v.src, attached, func(a, c int, e evidence) {
		read[a][c] = v.check(image, attached[a], e)
	})
	if err != nil {
		return f, err
	}
	for i, a := range attached {
		if a.Problem != "" {
			f.add(outcome{kind: a.suspected(), reason: a.Problem, missing: a.missing}, a, v.requirements)
		}
		for _, o := range read[i] {
			f.add(o, a, v.requirements)
		}
	}
	return f, nil
}

// outcome is what became of one signature or attestation.
type outcome struct {
	kind          AttachmentKind
	predicateType string
	signature     Signature
	reason        string // "" if it counts
	missing       bool   // the reason is that it is listed, but not there
}

// add sorts an outcome in.
func (f *findings) add(o outcome, a Attachment, r Requirements) {
	o.signature.Format, o.signature.Manifest, o.signature.Tag = a.Format, a.Digest, a.Tag
	rejection := Rejection{Format: a.Format, Manifest: a.Digest, Tag: a.Tag, Reason: o.reason}
	if o.missing && (o.kind == KindSignature || o.kind == KindAttestation) {
		f.missing = append(f.missing, rejection)
	}
	switch {
	case o.kind == KindSignature && o.reason == "":
		f.signatures++
		f.Signatures = append(f.Signatures, o.signature)
	case o.kind == KindSignature:
		f.signatures++
		f.Rejected = append(f.Rejected, rejection)
	case o.kind == KindAttestation:
		f.attestations = append(f.attestations, cmp.Or(o.predicateType, "of an unknown type"))
		if o.reason == "" {
			f.Attestations = append(f.Attestations, o.signature)
		} else if len(r.PredicateTypes) > 0 && (o.predicateType == "" || slices.Contains(r.PredicateTypes, o.predicateType)) {
			f.Rejected = append(f.Rejected, rejection)
		}
	}
}

// check reports whether evidence counts for an image.
func (v checker) check(image digest.Digest, a Attachment, e evidence) outcome {
	o := outcome{kind: e.kind(), predicateType: e.predicateType}
	if e.err != nil {
		if e.predicateType == "" {
			o.kind = a.Kind
		}
		o.reason, o.missing = e.err.Error(), errors.Is(e.err, content.ErrNotFound)
		return o
	}
	what, mine := e.about(image)
	if !mine {
		o.reason = fmt.Sprintf("it is about another image, %s", e.subjects[0].digest)
		return o
	}
	key, algorithm := v.signedBy(e)
	if key == nil {
		o.reason = v.notByAny(e)
		return o
	}
	o.signature = Signature{
		Key: key.Name, Fingerprint: key.Fingerprint(), Algorithm: algorithm,
		Annotations: what.annotations, Repository: e.repository,
	}
	if o.kind == KindAttestation {
		o.signature.PredicateType = e.predicateType
		if slices.Contains(v.requirements.PredicateTypes, e.predicateType) {
			o.signature.Predicate = e.predicate
		}
	}
	o.reason = v.unwanted(a, o)
	return o
}

// signedBy returns the key that has made the signature, nil if none has.
func (v checker) signedBy(e evidence) (*Key, Algorithm) {
	for _, k := range v.requirements.Keys {
		if a, ok := e.signedBy(k, v.requirements.Algorithms); ok {
			return k, a
		}
	}
	return nil, ""
}

// notByAny reports why no key is the one that has signed.
func (v checker) notByAny(e evidence) string {
	if e.certificate {
		return "its signer has a certificate and no key, which is not verified here"
	}
	for _, k := range v.requirements.Keys {
		if a, ok := e.signedBy(k, nil); ok {
			return fmt.Sprintf("key %s has made it by %s, which does not count", k.Name, a)
		}
		if e.hint == k.hint() {
			return fmt.Sprintf("it names key %s, but that did not sign this", k.Name)
		}
	}
	if e.hint != "" {
		return fmt.Sprintf("none of the keys has made it; it names the key %q", clean(keyOf(e.hint)))
	}
	return "none of the keys has made it"
}

// unwanted reports what is required and not so in a good signature.
func (v checker) unwanted(a Attachment, o outcome) string {
	r := v.requirements
	if len(r.Formats) > 0 && !slices.Contains(r.Formats, a.Format) {
		return fmt.Sprintf("its format %s does not count", a.Format)
	}
	if o.kind != KindSignature {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(r.Annotations)) {
		got, ok := o.signature.Annotations[name]
		if !ok {
			return fmt.Sprintf("it has no annotation %s=%s", name, r.Annotations[name])
		}
		if got != r.Annotations[name] {
			return fmt.Sprintf("its annotation %s is %q, not %q", name, got, r.Annotations[name])
		}
	}
	if a.Format != FormatBundle && r.Repository != "" && !sameRepository(withoutTag(o.signature.Repository), r.Repository) {
		return fmt.Sprintf("it is for the repository %q, not %q", o.signature.Repository, r.Repository)
	}
	return ""
}

// sameRepository reports whether two names are of one repository.
func sameRepository(a, b string) bool {
	hostA, repositoryA := canonicalName(a)
	hostB, repositoryB := canonicalName(b)
	return hostA == hostB && repositoryA == repositoryB
}

// withoutTag returns HOST/REPOSITORY of a reference: podman signs the tag too.
func withoutTag(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		reference = reference[:i]
	}
	return reference
}
