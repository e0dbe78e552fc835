//go:build interop

package interop

import (
	"path/filepath"
	"testing"
)

// testCopiedSignatures copies an index with all its signatures between the registries.
func (w *signingSite) testCopiedSignatures(t *testing.T) {
	ecr, plain, older := w.places[0], w.places[1], w.places[2]
	for _, way := range []struct{ from, to place }{{ecr, plain}, {ecr, older}, {older, ecr}, {plain, older}} {
		t.Run("from "+way.from.name+" to "+way.to.name, func(t *testing.T) {
			repository := "copied/" + way.from.name + "-to-" + way.to.name
			index := w.signed(t, way.from, repository)
			name := way.to.host + "/" + repository
			w.run(t, "ecrkit", "copy", "--create-repository", "--referrers", way.from.host+"/"+repository+":1", name+":1")
			w.wantAllSignatures(t, name+"@"+index)
		})
	}

	t.Run("by regctl", func(t *testing.T) {
		index := w.signed(t, ecr, "copied/by-regctl")
		to := older.host + "/copied/by-regctl"
		w.run(t, "regctl", "image", "copy", "--referrers", "--digest-tags", ecr.host+"/copied/by-regctl:1", to+":1")
		w.wantAllSignatures(t, to+"@"+index)
	})
}

// testSignaturesInLayout carries an index with all its signatures through an OCI layout.
func (w *signingSite) testSignaturesInLayout(t *testing.T) {
	const repository = "carried/app"
	index := w.signed(t, w.ecr(), repository)
	layout := "oci:" + filepath.Join(t.TempDir(), "layout")
	w.run(t, "ecrkit", "copy", "--referrers", w.Addr+"/"+repository+":1", layout+":1")
	w.wantVerified(t, layout+":1", "--key", w.file("p256.pub"), "--recursive")
	w.wantVerified(t, layout+":1", "--key", w.file("rsa.pub"), "--recursive")
	for _, p := range w.places[1:] {
		t.Run("to "+p.name, func(t *testing.T) {
			name := p.host + "/" + repository
			w.run(t, "ecrkit", "copy", "--referrers", "--verify", "--key", w.file("p256.pub"), layout+":1", name+":1")
			w.wantAllSignatures(t, name+"@"+index)
		})
	}

	t.Run("signed there", func(t *testing.T) {
		k := w.suite.kind("index")
		layout, name := "oci:"+filepath.Join(t.TempDir(), "layout"), w.older().host+"/carried/signed"
		w.run(t, "ecrkit", "copy", "oci:"+k.layout, layout+":1")
		w.run(t, "ecrkit", "sign", layout+":1", "--key", kmsP256, "--recursive")
		w.run(t, "ecrkit", "copy", "--referrers", layout+":1", name+":1")
		for _, image := range w.images(t, name+"@"+k.digest) {
			w.runLine(t, cosignVerify(w.file("p256.pub"), image))
		}
	})
}

// signed pushes an index and gives it and its images signatures of ecrkit in both formats by one key, those of
// cosign by another, and an attestation. It returns the digest of the index.
func (w *signingSite) signed(t *testing.T, p place, repository string) string {
	t.Helper()
	index := w.put(t, p, repository, "index")
	w.run(t, "ecrkit", "sign", index, "--key", kmsP256, "--format", "both", "--recursive")
	w.cosignSign(t, "bundle", kmsRSA, index, "--recursive")
	w.cosignSign(t, "legacy", kmsRSA, index, "--recursive")
	w.run(t, "ecrkit", "attest", index, "--key", kmsP256, "--type", "slsaprovenance1", "--predicate", w.file("predicate.json"))
	return w.suite.kind("index").digest
}

// wantAllSignatures checks with cosign and with ecrkit that all is there which signed has made.
func (w *signingSite) wantAllSignatures(t *testing.T, index string) {
	t.Helper()
	for key, images := range map[string][]string{
		w.file("p256.pub"): w.images(t, index),
		w.file("rsa.pub"):  {index}, // its images by ecrkit alone, which is quicker
	} {
		for _, image := range images {
			w.runLine(t, cosignVerify(key, image))
			w.runLine(t, cosignVerify(key, image, "--new-bundle-format=false"))
		}
		w.wantVerified(t, index, "--key", key, "--recursive", "--format", "bundle")
		w.wantVerified(t, index, "--key", key, "--recursive", "--format", "legacy")
	}
	w.run(t, "cosign", "verify-attestation", "--insecure-ignore-tlog", "--key", w.file("p256.pub"), "--type", "slsaprovenance1", index)
	w.wantVerified(t, index, "--key", w.file("p256.pub"), "--type", "slsaprovenance1")
}
