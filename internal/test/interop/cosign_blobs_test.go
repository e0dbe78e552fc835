//go:build interop

package interop

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
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

	t.Run("install.sh", w.testInstall)
}

// testInstall installs an archive of scripts whose sums are signed, with each program that install.sh asks,
// and then with another key, and then changed.
func (w *signingSite) testInstall(t *testing.T) {
	const base = "ecrkit_1.2.3_linux_amd64"
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(file(base), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ecrkit", "docker-credential-ecrkit"} {
		writeFile(t, file(base+"/"+name), []byte("#!/bin/sh\n"))
	}
	archive := file(base + ".tar.gz")
	pack := func() {
		t.Helper()
		for _, line := range []string{"tar -czf " + base + ".tar.gz " + base, "sha256sum *.tar.gz >SHA256SUMS"} {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		}
	}
	pack()
	sums := file("SHA256SUMS")
	w.run(t, "ecrkit", "sign-blob", sums, "--key", w.file("plain.key"), "--bundle", sums+".sigstore.json", "--output-signature", sums+".sig")
	install := func(by, key string) (code int, out string) {
		t.Helper()
		stdout, stderr, err := w.with(map[string]string{"PATH": w.pathWith(t, by)}).execute(t, "sh", "../../../install.sh",
			"--prefix", filepath.Join(t.TempDir(), "prefix"), "--archive", archive, "--key", w.file(key))
		return exitCode(t, err), stdout + stderr
	}
	for _, by := range []string{"openssl", "ecrkit", "cosign"} {
		if code, out := install(by, "plain.pub"); code != 0 || !strings.Contains(out, "(checked by "+by+")") {
			t.Errorf("%s: exit code %d\n%s", by, code, out)
		}
		if code, out := install(by, "other.pub"); code != 1 || !strings.Contains(out, "is not signed with") {
			t.Errorf("%s, another key: exit code %d\n%s", by, code, out)
		}
	}
	if code, out := install("none", "plain.pub"); code != 1 || !strings.Contains(out, "the signature cannot be checked") {
		t.Errorf("without a program: exit code %d\n%s", code, out)
	}
	// Somebody without the key changes the archive, and then the sums too.
	writeFile(t, file(base+"/ecrkit"), []byte("#!/bin/sh\nexit 1\n"))
	signed, err := os.ReadFile(sums)
	if err != nil {
		t.Fatal(err)
	}
	pack()
	for _, by := range []string{"openssl", "ecrkit", "cosign"} {
		if code, out := install(by, "plain.pub"); code != 1 || !strings.Contains(out, "is not signed with") {
			t.Errorf("%s, changed sums: exit code %d\n%s", by, code, out)
		}
	}
	writeFile(t, sums, signed)
	for _, by := range []string{"openssl", "ecrkit", "cosign"} {
		if code, out := install(by, "plain.pub"); code != 1 || !strings.Contains(out, "is not the released file") {
			t.Errorf("%s, changed archive: exit code %d\n%s", by, code, out)
		}
	}
}

// pathWith is a directory with the programs that install.sh uses and one that checks signatures.
func (w *signingSite) pathWith(t *testing.T, verifier string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "awk", "basename", "cat", "chmod", "cp", "cut", "dirname", "gzip", "mkdir", "mktemp", "mv", "rm", "sha256sum", "tar", verifier} {
		path, err := exec.LookPath(name)
		if verifier == "none" && name == verifier {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
