package awskms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// push puts an index of so many images into the local ECR, and returns its repository and the index.
func (w *kmsWorld) push(t *testing.T, images int) (*ecr.Repository, content.Manifest) {
	t.Helper()
	index, err := random.Index(100, 1, int64(images))
	check(t, err)
	check(t, w.srv.PutIndex(t.Context(), "app", "1", index))
	registry := auth.Registry{Host: w.srv.Registry, Account: localecr.DefaultAccounts()[0].ID, Region: localecr.DefaultRegion}
	store := ecr.New(w.cfg, registry, "app")
	m, err := store.Resolve(t.Context(), "1")
	check(t, err)
	w.calls.Reset()
	return store, m
}

// mustSign signs without the waits of a signer that has to reckon with others.
func mustSign(t *testing.T, store sign.Store, m content.Manifest, signer *sign.Signer, opts sign.Options) []sign.Signed {
	t.Helper()
	signed, err := sign.Sign(fastclock.Context(t.Context()), store, m, signer, opts)
	check(t, err)
	return signed
}

// TestSignRecursive signs an index with 8 images: each once, and asks for the key once.
func TestSignRecursive(t *testing.T) {
	w := newKMSWorld(t)
	store, m := w.push(t, 8)
	w.calls.Reset()
	signer, err := sign.NewSigner(t.Context(), "alias/ecrkit-p256", w.key(t, "alias/ecrkit-p256"))
	check(t, err)
	signed := mustSign(t, store, m, signer, sign.Options{Recursive: true})
	if len(signed) != 9 || signed[8].Digest != m.Descriptor.Digest {
		t.Errorf("signed %+v", signed)
	}
	calls := map[string]int{}
	var last string
	for _, c := range w.calls.Calls() {
		calls[c.Op]++
		if c.Op == "PutImage" {
			last = c.Digest
		}
	}
	// The bundles and the one empty config are 10 layers.
	if want := map[string]int{"GetPublicKey": 1, "Sign": 9, "BatchGetImage": 1, "ListImageReferrers": 9, "BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 10, "UploadLayerPart": 10, "CompleteLayerUpload": 10, "PutImage": 9}; !maps.Equal(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
	if last != string(signed[8].Signature) {
		t.Errorf("the signature of the index is %s; written last was %s", signed[8].Signature, last)
	}
	seen := map[digest.Digest]bool{}
	for _, s := range signed {
		seen[s.Digest] = true
		listed, err := store.Referrers(t.Context(), s.Digest)
		check(t, err)
		if len(listed) != 1 || listed[0].Digest != s.Signature {
			t.Errorf("%s has %v", s.Digest, listed)
		}
	}
	if len(seen) != 9 {
		t.Errorf("signed %v", seen)
	}
	w.calls.Reset()
	signed = mustSign(t, store, m, signer, sign.Options{Recursive: true, Formats: []sign.Format{sign.FormatBundle, sign.FormatLegacy}})
	signs := 0
	for _, c := range w.calls.Calls() {
		if c.Op == "Sign" {
			signs++
		}
	}
	if len(signed) != 18 || signs != 9 {
		t.Errorf("%d signatures, Sign %d times", len(signed), signs)
	}
}

// TestSignRefusedByKMS has the last of all calls of Sign fail: the audit log has
// nothing that writes.
func TestSignRefusedByKMS(t *testing.T) {
	w := newKMSWorld(t)
	store, m := w.push(t, 2)
	signer, err := sign.NewSigner(t.Context(), "alias/ecrkit-p256", w.key(t, "alias/ecrkit-p256"))
	check(t, err)
	w.faults(t, localecr.Fault{Op: "Sign", Nth: 6, Count: -1, Status: http.StatusBadRequest, Code: "DisabledException", Message: "said AWS"})
	w.calls.Reset()
	_, err = sign.Sign(t.Context(), store, m, signer, sign.Options{Recursive: true, Formats: []sign.Format{sign.FormatBundle, sign.FormatLegacy}})
	if !errors.Is(err, ErrUnusable) {
		t.Errorf("got %v", err)
	}
	for _, c := range w.calls.Calls() {
		if !slices.Contains([]string{"BatchGetImage", "ListImageReferrers", "Sign"}, c.Op) {
			t.Errorf("called %s", c.Op)
		}
	}
	w.faults(t)
	if signed := mustSign(t, store, m, signer, sign.Options{Recursive: true, Formats: []sign.Format{sign.FormatBundle, sign.FormatLegacy}}); len(signed) != 6 {
		t.Errorf("signed %+v", signed)
	}
}

// TestWarning has an RSA key in KMS warned ; one in a file is not.
func TestWarning(t *testing.T) {
	w := newKMSWorld(t)
	for alias, want := range map[string]string{
		"alias/ecrkit-p256": "", "alias/ecrkit-p384": "--signature-digest-algorithm sha384", "alias/ecrkit-p521": "--signature-digest-algorithm sha512",
		"alias/ecrkit-rsa2048": "needs the public key in a file",
	} {
		signer, err := sign.NewSigner(t.Context(), alias, w.key(t, alias))
		if err != nil {
			t.Fatal(err)
		}
		if got := signer.Warning(); !strings.Contains(got, want) || (got == "") != (want == "") || got != "" && !strings.Contains(got, alias) {
			t.Errorf("%s: %q", alias, got)
		}
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file, err := signature.LoadSigner(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if signer, err := sign.NewSigner(t.Context(), "release.key", file); err != nil || signer.Warning() != "" {
		t.Errorf("%q, %v", signer.Warning(), err)
	}
}
