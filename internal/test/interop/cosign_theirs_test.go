//go:build interop

package interop

import (
	"strings"
	"testing"
)

// testFormatsOfCosign lets cosign sign an index and its images in each format and registry, for ecrkit.
func (w *signingSite) testFormatsOfCosign(t *testing.T) {
	// A key in a file needs no AWS credentials, and ecrkit none for a registry that is no ECR.
	noAWS := *w
	noAWS.site = w.with(map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9"})
	for _, p := range w.places {
		for _, format := range []string{"bundle", "legacy", "oci-1-1"} {
			t.Run(format+" in "+p.name, func(t *testing.T) {
				index := w.put(t, p, "theirs/"+format, "index")
				w.cosignSign(t, format, kmsP256, index, "--recursive", "-a", "env=prod")

				reader := w
				if p != w.ecr() {
					reader = &noAWS
				}
				key := w.file("p256.pub")
				v := reader.wantVerified(t, index, "--key", key, "-a", "env=prod", "--recursive")
				if len(v.Platforms) != 2 {
					t.Errorf("%d images of the index are verified, want 2", len(v.Platforms))
				}
				for _, v := range append(v.Platforms, v) {
					if len(v.Signatures) != 1 || v.Signatures[0].Format != format || v.Signatures[0].Key != key {
						t.Errorf("the signatures of %s are %+v, want one in the format %s", v.Digest, v.Signatures, format)
					}
				}
				w.wantVerified(t, index, "--key", kmsP256)
				w.wantUntrusted(t, index, "--key", key, "-a", "env=test")
				w.wantUntrusted(t, index, "--key", w.file("other.pub"))
			})
		}
	}
}

// testKeysOfCosign lets cosign sign with keys of each sort, for ecrkit.
func (w *signingSite) testKeysOfCosign(t *testing.T) {
	for name, key := range map[string]struct{ private, public string }{
		"file":     {w.file("file.key"), w.file("file.pub")},
		"kms-p384": {kmsP384, w.file("p384.pub")},
		"kms-rsa":  {kmsRSA, w.file("rsa.pub")},
	} {
		for _, format := range []string{"bundle", "legacy", "oci-1-1"} {
			t.Run(name+" in a "+format, func(t *testing.T) {
				image := w.put(t, w.ecr(), "their-keys/"+name+"-"+format, "oci")
				w.cosignSign(t, format, key.private, image)
				w.wantVerified(t, image, "--key", key.public, "--format", format)
				w.wantUntrusted(t, image, "--key", w.file("p256.pub"))
			})
		}
	}
}

// testAttestationsOfCosign lets cosign attest, for ecrkit. To ecrkit an attestation is no signature.
func (w *signingSite) testAttestationsOfCosign(t *testing.T) {
	for _, p := range w.places {
		for _, format := range []string{"bundle", "legacy"} {
			t.Run(format+" in "+p.name, func(t *testing.T) {
				image := w.put(t, p, "theirs/attested-"+format, "oci")
				w.run(t, "cosign", append([]string{"attest", "--yes", "--key", kmsP256, "--type", "slsaprovenance1", "--predicate", w.file("predicate.json"), image}, w.cosignFormat(format)...)...)
				key := w.file("p256.pub")
				v := w.wantVerified(t, image, "--key", key, "--type", "slsaprovenance1")
				if len(v.Attestations) != 1 || v.Attestations[0].Format != format || v.Attestations[0].PredicateType != "https://slsa.dev/provenance/v1" {
					t.Errorf("the attestations are %+v", v.Attestations)
				}
				if said := w.run(t, "ecrkit", "verify", image, "--key", key, "--type", "slsaprovenance1", "--output-predicate", "-"); !strings.Contains(said, "https://example.com/make") {
					t.Errorf("the predicate is %s, want %s", said, slsaPredicate)
				}
				w.wantUntrusted(t, image, "--key", key, "--type", "spdxjson")
				w.wantUntrusted(t, image, "--key", w.file("other.pub"), "--type", "slsaprovenance1")
				w.wantUnsigned(t, image, "--key", key)
				if format == "bundle" {
					w.runLine(t, cosignVerify(key, image)) // which takes it for a signature
				}
				w.cosignSign(t, format, kmsP256, image)
				w.wantVerified(t, image, "--key", key)
			})
		}
	}
}
