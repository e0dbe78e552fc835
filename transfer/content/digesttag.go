package content

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Kinds of a tag that is made of a digest, which is how cosign attaches to an image
// what has no subject:
// https://github.com/sigstore/cosign/blob/v3.0.2/specs/SIGNATURE_SPEC.md#tag-based-discovery.
const (
	DigestTagReferrers   = ""     // sha256-HEX: the list of referrers that clients keep
	DigestTagSignatures  = "sig"  // sha256-HEX.sig
	DigestTagAttestation = "att"  // sha256-HEX.att
	DigestTagSBOM        = "sbom" // sha256-HEX.sbom
)

var digestTag = lazyregexp.New(`^sha256-([0-9a-f]{64})(?:\.(sig|att|sbom))?$`)

// ParseDigestTag reads a tag that is made of the digest of another image.
func ParseDigestTag(tag string) (subject digest.Digest, kind string, ok bool) {
	m := digestTag.FindStringSubmatch(tag)
	if m == nil {
		return "", "", false
	}
	return digest.NewDigestFromEncoded(digest.SHA256, m[1]), m[2], true
}

// DigestTag is the tag of one of the kinds.
func DigestTag(subject digest.Digest, kind string) string {
	tag := strings.ReplaceAll(string(subject), ":", "-")
	if kind != "" {
		tag += "." + kind
	}
	return tag
}
