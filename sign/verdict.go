package sign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// judge sets the status of an image from what was found, and returns the error that
// says why it is not verified.
func (v checker) judge(f findings) (Verification, error) {
	r, result := v.requirements, f.Verification
	missing := f.missingPredicateTypes(r)
	signers := f.signers()
	signed := r.AttestationsOnly || len(signers) >= max(r.Threshold, 1)
	image := fmt.Sprintf("%s@%s", v.src, result.Digest)
	switch {
	case signed && len(missing) == 0:
		result.Status = StatusVerified
		return result, nil
	case len(f.missing) > 0: // one of them might be what is required
		return Verification{}, fmt.Errorf("%s: %w: %s", image, ErrMissing, strings.Join(reasons(f.missing), "; "))
	case !r.AttestationsOnly && f.signatures == 0:
		result.Status = StatusUnsigned
		return result, fmt.Errorf("%s: %w%s", image, ErrUnsigned, f.attestationNote())
	case r.AttestationsOnly && len(result.Attestations)+len(result.Rejected) == 0:
		result.Status = StatusUnsigned
		return result, fmt.Errorf("%s: %w: %w %s", image, ErrUnsigned, ErrNoAttestation, strings.Join(missing, ", "))
	}
	result.Status = StatusUntrusted
	var why []string
	if !signed {
		if want := max(r.Threshold, 1); want > 1 {
			why = append(why, fmt.Sprintf("signed by %d of the %d keys that are required", len(signers), want))
		}
	}
	if len(missing) > 0 {
		why = append(why, fmt.Sprintf("no attestation of type %s by one of the keys", strings.Join(missing, ", ")))
	}
	return result, fmt.Errorf("%s: %w: %s", image, ErrUntrusted, strings.Join(append(why, reasons(result.Rejected)...), "; "))
}

// signers returns the different keys that have signed.
func (f findings) signers() (keys []digest.Digest) {
	for _, s := range f.Signatures {
		if !slices.Contains(keys, s.Fingerprint) {
			keys = append(keys, s.Fingerprint)
		}
	}
	return keys
}

// missingPredicateTypes returns those of required attestations that are missing.
func (f findings) missingPredicateTypes(r Requirements) (missing []string) {
	for _, t := range r.PredicateTypes {
		if !slices.ContainsFunc(f.Attestations, func(s Signature) bool { return s.PredicateType == t }) {
			missing = append(missing, t)
		}
	}
	return missing
}

// attestationNote reports what an unsigned image has instead.
func (f findings) attestationNote() string {
	if len(f.attestations) == 0 {
		return ""
	}
	types := slices.Compact(slices.Sorted(slices.Values(f.attestations)))
	for i, t := range types {
		types[i] = clean(t)
	}
	return fmt.Sprintf(" (it has an attestation, %s, which is no signature)", listed(types))
}

// reasons are those of rejections, each with the manifest that holds the signature.
func reasons(rejected []Rejection) (list []string) {
	for _, r := range rejected {
		name := "signature " + r.Manifest.String()
		if r.Tag != "" {
			name = "signature in tag " + r.Tag
		}
		list = append(list, name+": "+r.Reason)
	}
	return shortened(list)
}

// maxReasons is how many of a list messages show.
const maxReasons = 8

// shortened cuts a list for a message.
func shortened(list []string) []string {
	if more := len(list) - maxReasons; more > 0 {
		return append(slices.Clip(list[:maxReasons]), fmt.Sprintf("and %d more", more))
	}
	return list
}

// listed is a list for a message.
func listed(list []string) string { return strings.Join(shortened(list), ", ") }
