//go:build interop

package interop

import (
	"os"
	"strings"
	"testing"
)

// signaturePredicate is the predicate type of signatures in bundles.
const signaturePredicate = "https://sigstore.dev/cosign/sign/v1"

// testFormatsForCosign signs an index and its images in each format and registry, for cosign.
func (w *signingSite) testFormatsForCosign(t *testing.T) {
	for _, p := range w.places {
		for _, format := range []string{"bundle", "legacy", "both"} {
			t.Run(format+" in "+p.name, func(t *testing.T) {
				index := w.put(t, p, "ours/"+format, "index")
				w.run(t, "ecrkit", "sign", index, "--key", kmsP256, "--format", format, "--recursive", "-a", "env=prod")
				w.runLine(t, cosignVerify(kmsP256, index))
				for _, image := range w.images(t, index) {
					w.runLine(t, cosignVerify(w.file("p256.pub"), image, "-a", "env=prod"))
					if format == "both" {
						w.runLine(t, cosignVerify(w.file("p256.pub"), image, "-a", "env=prod", "--new-bundle-format=false"))
					}
				}
				w.cosignRefuses(t, otherAnnotation, w.file("p256.pub"), index, "-a", "env=test")
				byOther := bundleByOther
				if format == "legacy" {
					byOther = legacyByOther
				}
				w.cosignRefuses(t, byOther, w.file("other.pub"), index)
			})
		}
	}
}

// testKeysForCosign signs with keys of each sort, for cosign.
func (w *signingSite) testKeysForCosign(t *testing.T) {
	for name, key := range map[string]struct {
		private, public string
		flags           []string // of cosign
	}{
		"cosign":   {w.file("file.key"), w.file("file.pub"), nil},
		"plain":    {w.file("plain.key"), w.file("plain.pub"), nil},
		"kms-p384": {kmsP384, w.file("p384.pub"), []string{"--signature-digest-algorithm", "sha384"}},
		"kms-rsa":  {kmsRSA, w.file("rsa.pub"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			image := w.put(t, w.ecr(), "keys/"+name, "oci")
			w.run(t, "ecrkit", "sign", image, "--key", key.private, "--format", "both")
			w.runLine(t, cosignVerify(key.public, image, key.flags...))
			w.runLine(t, cosignVerify(key.public, image, append(key.flags, "--new-bundle-format=false")...))
			w.wantVerified(t, image, "--key", key.public)
		})
	}

	for name, file := range map[string]string{kmsP256: "p256.pub", kmsP384: "p384.pub", kmsRSA: "rsa.pub"} {
		want, err := os.ReadFile(w.file(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.run(t, "ecrkit", "public-key", name); got != strings.TrimSpace(string(want)) {
			t.Errorf("ecrkit public-key %s prints\n%s\nand cosign\n%s", name, got, want)
		}
	}
}

// testPublishingForCosign signs on push, and writes a bundle to a file.
func (w *signingSite) testPublishingForCosign(t *testing.T) {
	k := w.suite.kind("list")
	for _, p := range w.places {
		t.Run("push to "+p.name, func(t *testing.T) {
			image := p.host + "/published/app:1"
			w.run(t, "ecrkit", "push", "--create-repository", "--sign", "alias/ecrkit-p256", "--sign-recursive", "-a", "env=prod", "oci:"+k.layout, image)
			w.runLine(t, cosignVerify(w.file("p256.pub"), image, "-a", "env=prod"))
			for _, child := range w.images(t, p.host+"/published/app@"+k.digest) {
				w.runLine(t, cosignVerify(w.file("p256.pub"), child))
			}
		})
	}

	t.Run("bundle in a file", func(t *testing.T) {
		image := w.put(t, w.ecr(), "published/file", k.name)
		file := w.file("bundle.json")
		w.run(t, "ecrkit", "sign", image, "--key", kmsP256, "--output-bundle", file)
		verify := func(digest string) []string {
			return []string{"verify-blob-attestation", "--insecure-ignore-tlog", "--key", w.file("p256.pub"), "--bundle", file,
				"--type", signaturePredicate, "--digestAlg", "sha256", "--digest", strings.TrimPrefix(digest, "sha256:")}
		}
		w.run(t, "cosign", verify(k.digest)...)
		w.refused(t, bundleOfOther, "cosign", verify(w.suite.kind("oci").digest)...)
	})
}

// testAttestationsForCosign attests, for cosign.
func (w *signingSite) testAttestationsForCosign(t *testing.T) {
	for _, p := range w.places {
		t.Run(p.name, func(t *testing.T) {
			image := w.put(t, p, "ours/attested", "oci")
			w.run(t, "ecrkit", "attest", image, "--key", kmsP256, "--type", "slsaprovenance1", "--predicate", w.file("predicate.json"))
			verify := []string{"verify-attestation", "--insecure-ignore-tlog", image}
			w.run(t, "cosign", append(verify, "--key", w.file("p256.pub"), "--type", "slsaprovenance1")...)
			w.refused(t, "none of the attestations matched the predicate type: spdxjson", "cosign", append(verify, "--key", w.file("p256.pub"), "--type", "spdxjson")...)
			w.refused(t, bundleByOther, "cosign", append(verify, "--key", w.file("other.pub"), "--type", "slsaprovenance1")...)
		})
	}
}
