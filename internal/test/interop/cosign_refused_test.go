//go:build interop

package interop

import (
	"strings"
	"testing"
)

// testRefusedSignatures tells an image that nobody signed from one that others have signed.
func (w *signingSite) testRefusedSignatures(t *testing.T) {
	key := w.file("p256.pub")
	for _, p := range w.places {
		t.Run(p.name, func(t *testing.T) {
			image := w.put(t, p, "refused/app", "oci")
			w.wantUnsigned(t, image, "--key", key)
			w.cosignRefuses(t, "no signatures found", key, image)

			w.run(t, "ecrkit", "attest", image, "--key", kmsP256, "--type", "slsaprovenance1", "--predicate", w.file("predicate.json"))
			w.wantUnsigned(t, image, "--key", key)

			w.run(t, "ecrkit", "sign", image, "--key", w.file("plain.key"), "--format", "both")
			w.wantUntrusted(t, image, "--key", key)
			w.cosignRefuses(t, bundleByOther, w.file("other.pub"), image)
			w.cosignRefuses(t, legacyByOther, key, image, "--new-bundle-format=false")
			w.wantVerified(t, image, "--key", w.file("plain.pub"))
		})
	}
}

// testReplayedSignatures attaches the signatures of one image to another.
func (w *signingSite) testReplayedSignatures(t *testing.T) {
	key := w.file("p256.pub")
	for _, signer := range []string{"ecrkit", "cosign"} {
		for _, p := range w.places {
			t.Run("of "+signer+" in "+p.name, func(t *testing.T) {
				name := "replayed/" + signer
				good, bad := w.put(t, p, name, "oci"), w.put(t, p, name, "schema2")
				bundle := w.file("replayed-" + signer + ".json")
				if signer == "ecrkit" {
					w.run(t, "ecrkit", "sign", good, "--key", kmsP256, "--format", "both", "--output-bundle", bundle)
				} else {
					w.cosignSign(t, "bundle", kmsP256, good, "--bundle", bundle)
					w.cosignSign(t, "legacy", kmsP256, good)
				}

				repository := p.host + "/" + name
				tag := func(image string) string {
					_, digest, _ := strings.Cut(image, "@")
					return strings.Replace(digest, ":", "-", 1) + ".sig"
				}
				w.run(t, "crane", "tag", repository+":"+tag(good), tag(bad))
				v := w.wantUntrusted(t, bad, "--key", key)
				if len(v.Rejected) != 1 || v.Rejected[0].Format != "legacy" {
					t.Errorf("rejected are %+v, want the legacy signature", v.Rejected)
				}
				w.cosignRefuses(t, legacyOfOther, key, bad)

				const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
				w.run(t, "regctl", "artifact", "put", "--artifact-type", mediaType, "--file", bundle, "--file-media-type", mediaType, "--subject", bad)
				if v = w.wantUntrusted(t, bad, "--key", key); len(v.Rejected) != 2 {
					t.Errorf("rejected are %+v, want the bundle as well", v.Rejected)
				}
				w.cosignRefuses(t, bundleOfOther, key, bad)
				w.wantVerified(t, good, "--key", key)
			})
		}
	}
}

// testMixedSignatures lets cosign and ecrkit sign one image with different keys in different formats. cosign
// looks at no legacy signature of an image that has a bundle.
func (w *signingSite) testMixedSignatures(t *testing.T) {
	p256, rsa := []string{"--key", w.file("p256.pub")}, []string{"--key", w.file("rsa.pub")}
	for _, p := range w.places {
		t.Run(p.name, func(t *testing.T) {
			theirsFirst, oursFirst := w.put(t, p, "mixed/theirs-first", "oci"), w.put(t, p, "mixed/ours-first", "oci")
			w.cosignSign(t, "legacy", kmsP256, theirsFirst)
			w.run(t, "ecrkit", "sign", theirsFirst, "--key", kmsRSA, "--format", "bundle")
			w.run(t, "ecrkit", "sign", oursFirst, "--key", kmsP256, "--format", "legacy")
			w.cosignSign(t, "bundle", kmsRSA, oursFirst)
			for _, image := range []string{theirsFirst, oursFirst} {
				w.wantVerified(t, image, p256...)
				w.wantVerified(t, image, rsa...)
				w.wantVerified(t, image, append(append([]string{"--threshold", "2"}, p256...), rsa...)...)
				w.cosignRefuses(t, bundleByOther, w.file("p256.pub"), image)
				w.runLine(t, cosignVerify(w.file("p256.pub"), image, "--new-bundle-format=false"))
				w.runLine(t, cosignVerify(w.file("rsa.pub"), image))
			}

			// Each adds to what the other has written.
			w.run(t, "ecrkit", "sign", oursFirst, "--key", w.file("other.key"), "--format", "both")
			w.cosignSign(t, "legacy", kmsRSA, oursFirst)
			tree := w.run(t, "ecrkit", "tree", oursFirst, "--key", w.file("p256.pub"), "--key", w.file("rsa.pub"), "--key", w.file("other.pub"))
			for _, key := range []string{"p256.pub", "rsa.pub", "other.pub"} {
				if !strings.Contains(tree, w.file(key)) {
					t.Errorf("ecrkit tree does not say what %s has signed:\n%s", key, tree)
				}
				w.runLine(t, cosignVerify(w.file(key), oursFirst, "--new-bundle-format=false"))
				w.wantVerified(t, oursFirst, "--key", w.file(key), "--format", "legacy")
			}
			w.runLine(t, cosignVerify(w.file("other.pub"), oursFirst))
		})
	}
}
