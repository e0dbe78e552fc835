//go:build interop

package interop

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// testTwoSigners lets two processes sign one image at the same time where the lists of its signatures are
// below tags, which a writer replaces as a whole.
func (w *signingSite) testTwoSigners(t *testing.T) {
	keys := []string{"plain", "other"}
	for i := range 10 {
		image := w.put(t, w.older(), fmt.Sprintf("signers/%d", i), "oci")
		var signers errgroup.Group
		for _, key := range keys {
			signers.Go(func() error {
				_, stderr, err := w.execute(t, "ecrkit", "sign", image, "--key", w.file(key+".key"), "--format", "both")
				if err != nil {
					return fmt.Errorf("ecrkit sign --key %s.key: %w\n%s", key, err, stderr)
				}
				return nil
			})
		}
		if err := signers.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"bundle", "legacy"} {
			w.wantVerified(t, image, "--threshold", "2", "--key", w.file("plain.pub"), "--key", w.file("other.pub"), "--format", format)
		}
		if i == 0 {
			for _, key := range keys {
				w.runLine(t, cosignVerify(w.file(key+".pub"), image))
				w.runLine(t, cosignVerify(w.file(key+".pub"), image, "--new-bundle-format=false"))
			}
		}
	}
}

// testImmutableSignatures lets two signers sign where no tag can be moved.
func (w *signingSite) testImmutableSignatures(t *testing.T) {
	const name = "immutable/app"
	w.run(t, "ecrkit", "repo", "create", "--immutable-tags", w.Addr+"/"+name)
	image := w.put(t, w.ecr(), name, "index")
	w.run(t, "ecrkit", "sign", image, "--key", kmsP256)
	w.cosignSign(t, "bundle", kmsRSA, image)
	w.run(t, "ecrkit", "sign", image, "--key", w.file("other.key"))
	for _, key := range []string{"p256.pub", "rsa.pub", "other.pub"} {
		w.runLine(t, cosignVerify(w.file(key), image))
		w.wantVerified(t, image, "--key", w.file(key))
	}

	w.run(t, "ecrkit", "sign", image, "--key", kmsP256, "--format", "legacy")
	w.run(t, "ecrkit", "sign", image, "--key", kmsP256, "--format", "legacy") // is there
	_, stderr, err := w.execute(t, "ecrkit", "sign", image, "--key", w.file("other.key"), "--format", "legacy")
	if code := exitCode(t, err); code != 5 || !strings.Contains(stderr, ".sig is immutable") || !strings.Contains(stderr, "sign with bundles") {
		t.Errorf("a second legacy signature in an immutable repository: exit code %d, want 5\n%s", code, stderr)
	}
	w.runLine(t, cosignVerify(w.file("p256.pub"), image, "--new-bundle-format=false"))
	w.cosignRefuses(t, legacyByOther, w.file("other.pub"), image, "--new-bundle-format=false")

	// What the error proposes.
	const exempt = "immutable/exempt"
	w.run(t, "ecrkit", "repo", "create", "--immutable-tags", "--mutability-exclusion", "sha256-*", w.Addr+"/"+exempt)
	image = w.put(t, w.ecr(), exempt, "index")
	for _, key := range []string{"plain", "other"} {
		w.run(t, "ecrkit", "sign", image, "--key", w.file(key+".key"), "--format", "legacy")
	}
	for _, key := range []string{"plain.pub", "other.pub"} {
		w.runLine(t, cosignVerify(w.file(key), image, "--new-bundle-format=false"))
	}
}
