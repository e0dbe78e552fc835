//go:build interop

package interop

import (
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// testBlobs signs files with ecrkit for cosign and openssl, and with those for ecrkit.
func (w *signingSite) testBlobs(t *testing.T) {
	blob, other := w.file("SHA256SUMS"), w.file("other sums")
	writeFile(t, blob, []byte("0123  app.tar.gz\n"))
	writeFile(t, other, []byte("4567  app.tar.gz\n"))
	keys := map[string]struct {
		private, public string
		flags           []string // of cosign verify-blob
	}{
		"kms-p256": {kmsP256, w.file("p256.pub"), nil},
		"kms-p384": {kmsP384, w.file("p384.pub"), []string{"--signature-digest-algorithm", "sha384"}},
		"kms-rsa":  {kmsRSA, w.file("rsa.pub"), nil},
		"file":     {w.file("file.key"), w.file("file.pub"), nil},
	}
	for name, key := range keys {
		t.Run("for cosign, "+name, func(t *testing.T) {
			bundle, sig := w.file(name+".bundle"), w.file(name+".sig")
			w.run(t, "ecrkit", "sign-blob", blob, "--key", key.private, "--bundle", bundle, "--output-signature", sig)
			verify := append([]string{"verify-blob", "--insecure-ignore-tlog", "--key", key.public}, key.flags...)
			w.run(t, "cosign", append(verify, "--bundle", bundle, blob)...)
			w.run(t, "cosign", append(verify, "--signature", sig, blob)...)
			for _, args := range [][]string{{"--bundle", bundle, other}, {"--signature", sig, other}} {
				if _, _, err := w.execute(t, "cosign", append(verify, args...)...); exitCode(t, err) == 0 {
					t.Errorf("cosign verify-blob %q accepts another file", args)
				}
			}
			w.run(t, "ecrkit", "verify-blob", blob, "--key", key.public, "--bundle", bundle)
		})
		t.Run("by cosign, "+name, func(t *testing.T) {
			bundle, sig := w.file(name+".theirs"), w.file(name+".theirs.sig")
			w.run(t, "cosign", append([]string{"sign-blob", "--yes", "--key", key.private, "--bundle", bundle, blob}, w.cosignFormat("bundle")...)...)
			w.run(t, "cosign", append([]string{"sign-blob", "--yes", "--key", key.private, "--output-signature", sig, blob}, w.cosignFormat("legacy")...)...)
			for _, args := range [][]string{{"--bundle", bundle}, {"--signature", sig}} {
				w.run(t, "ecrkit", append(args, "verify-blob", blob, "--key", key.public)...)
				_, _, err := w.execute(t, "ecrkit", append(args, "verify-blob", other, "--key", key.public)...)
				if code := exitCode(t, err); code != 4 {
					t.Errorf("ecrkit verify-blob of another file %q: exit code %d", args, code)
				}
			}
		})
	}

	t.Run("older bundle by cosign", func(t *testing.T) {
		bundle := w.file("older.bundle")
		w.run(t, "cosign", append([]string{"sign-blob", "--yes", "--key", w.file("file.key"), "--bundle", bundle, blob}, w.cosignFormat("legacy")...)...)
		w.run(t, "ecrkit", "verify-blob", blob, "--key", w.file("file.pub"), "--bundle", bundle)
	})

	t.Run("attestation by cosign", func(t *testing.T) {
		bundle := w.file("attest.bundle")
		w.run(t, "cosign", append([]string{"attest-blob", "--yes", "--key", w.file("file.key"), "--type", "slsaprovenance1", "--predicate", w.file("predicate.json"), "--bundle", bundle, blob}, w.cosignFormat("bundle")...)...)
		w.run(t, "ecrkit", "verify-blob", blob, "--key", w.file("file.pub"), "--bundle", bundle, "--type", "slsaprovenance1")
		w.refused(t, "not a signature of the file", "ecrkit", "verify-blob", blob, "--key", w.file("file.pub"), "--bundle", bundle)
	})

	t.Run("openssl", func(t *testing.T) {
		w.run(t, "ecrkit", "sign-blob", blob, "--key", w.file("plain.key"), "--output-signature", w.file("plain.sig"))
		sig, err := os.ReadFile(w.file("plain.sig"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(sig)))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, w.file("plain.raw"), raw)
		openssl := func(args ...string) error { return exec.CommandContext(t.Context(), "openssl", args...).Run() }
		verify := []string{"dgst", "-sha256", "-verify", w.file("plain.pub"), "-signature", w.file("plain.raw")}
		if err := openssl(append(verify, blob)...); err != nil {
			t.Errorf("openssl refuses our signature: %v", err)
		}
		if openssl(append(verify, other)...) == nil {
			t.Error("openssl accepts another file")
		}
		if err := openssl("dgst", "-sha256", "-sign", w.file("plain.key"), "-out", w.file("openssl.sig"), blob); err != nil {
			t.Fatal(err)
		}
		w.run(t, "ecrkit", "verify-blob", blob, "--key", w.file("plain.pub"), "--signature", w.file("openssl.sig"))
	})
}
