package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// verificationText is a verification for people.
func (app *App) verificationText(r ref.Reference, v sign.Verification) string {
	var out strings.Builder
	writeVerification(&out, "", r.String(), v)
	if len(v.NotChecked) > 0 {
		fmt.Fprintf(&out, "  not checked: %s\n", strings.Join(v.NotChecked, ", "))
	}
	return out.String()
}

func writeVerification(out *strings.Builder, indent, name string, v sign.Verification) {
	fmt.Fprintf(out, "%s%s  %s  %s\n", indent, cmp.Or(v.Digest, "-"), name, v.Status)
	for _, s := range v.Signatures {
		fmt.Fprintf(out, "%s  signed by %s\n", indent, signatureText(s))
	}
	for _, s := range v.Attestations {
		fmt.Fprintf(out, "%s  %s attested by %s\n", indent, printable(s.PredicateType), signatureText(s))
	}
	for _, r := range v.Rejected {
		what := strings.TrimSpace(string(r.Format) + " " + cmp.Or(string(r.Manifest), r.Tag))
		if what != "" {
			what += ": "
		}
		fmt.Fprintf(out, "%s  does not count: %s%s\n", indent, what, printable(r.Reason))
	}
	for _, p := range v.Platforms {
		writeVerification(out, indent+"  ", "image of the index", p)
	}
}

// signatureText is a signature that counts: the key, where it is, and what was
// signed with the image.
func signatureText(s sign.Signature) string {
	at := string(s.Manifest)
	if s.Tag != "" {
		at = s.Tag
	}
	text := fmt.Sprintf("%s (%s): %s %s", s.Key, s.Fingerprint, s.Format, at)
	for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
		text += fmt.Sprintf(", %s=%s", printable(key), printable(s.Annotations[key]))
	}
	return text
}
