package content

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestParseDigestTag(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for tag, want := range map[string]string{
		"sha256-" + hex: DigestTagReferrers, "sha256-" + hex + ".sig": "sig", "sha256-" + hex + ".att": "att", "sha256-" + hex + ".sbom": "sbom",
		"sha256-" + hex + ".sigs": "none", "sha256-" + hex[1:] + ".sig": "none", "sha256:" + hex: "none", "v1": "none", "": "none", "sha256-" + hex + ".": "none",
	} {
		subject, kind, ok := ParseDigestTag(tag)
		if !ok {
			kind = "none"
		}
		if kind != want || ok && (DigestTag(subject, kind) != tag || subject != digest.Digest("sha256:"+hex)) {
			t.Errorf("%q: %q %q", tag, subject, kind)
		}
	}
}
