//go:build interop

package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The keys of the tests. Those of KMS are named as cosign and ecrkit both know them.
const (
	kmsP256 = "awskms:///alias/ecrkit-p256"
	kmsP384 = "awskms:///alias/ecrkit-p384"
	kmsRSA  = "awskms:///alias/ecrkit-rsa2048"
)

// slsaPredicate is a predicate of the type slsaprovenance1.
const slsaPredicate = `{
  "buildDefinition": {"buildType": "https://example.com/make", "externalParameters": {}},
  "runDetails": {"builder": {"id": "https://example.com"}}
}`

// What cosign says about signatures that do not count.
const (
	bundleByOther   = "accepted signatures do not match threshold, Found: 0, Expected 1"
	legacyByOther   = "no matching signatures: invalid signature when validating ASN.1 encoded signature"
	bundleOfOther   = "provided artifact digest does not match any digest in statement"
	legacyOfOther   = "no matching signatures: invalid or missing digest in claim"
	otherAnnotation = "missing or incorrect annotation"
)

// A signing site has the registries and keys with which cosign and ecrkit sign for each other. Its user
// reaches nothing but this machine, so that a transparency log or a root of trust that was asked for is an error.
type signingSite struct {
	*site
	suite  *suite
	places []place
	dir    string // with keys in PEM and the settings of cosign
}

// A place is a registry in which images are signed.
type place struct{ name, host string }

// testCosign signs with ecrkit for cosign, and with cosign for ecrkit.
func (s *suite) testCosign(t *testing.T) {
	if err := s.cosign(); err != nil {
		t.Fatal(err)
	}
	w := s.startSigning(t)
	for name, test := range map[string]func(*testing.T){
		"formats":          w.testFormatsForCosign,
		"keys":             w.testKeysForCosign,
		"publishing":       w.testPublishingForCosign,
		"attestations":     w.testAttestationsForCosign,
		"blobs":            w.testBlobs,
		"cosign's formats": w.testFormatsOfCosign,
		"cosign's keys":    w.testKeysOfCosign,
		"cosign attests":   w.testAttestationsOfCosign,
		"refused":          w.testRefusedSignatures,
		"replayed":         w.testReplayedSignatures,
		"mixed":            w.testMixedSignatures,
		"copies":           w.testCopiedSignatures,
		"air gap":          w.testSignaturesInLayout,
		"two signers":      w.testTwoSigners,
		"immutable":        w.testImmutableSignatures,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func (s *suite) startSigning(t *testing.T) *signingSite {
	t.Helper()
	local := s.start(t, "--ephemeral")
	local.setupClients(t, local.Addr)
	const nowhere = "http://127.0.0.1:9"
	w := &signingSite{suite: s, dir: t.TempDir(), site: local.with(map[string]string{
		"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "NO_PROXY": "127.0.0.1," + s.addresses.registry + "," + s.addresses.downloads, "COSIGN_PASSWORD": "of a test",
	})}
	w.places = []place{
		{"ecr", w.Addr},
		{"plain", w.startRegistry(t, true)},
		{"older", w.startRegistry(t, false)},
	}
	w.run(t, "cosign", "signing-config", "create", "--out", w.file("no-tlog.json"))
	w.run(t, "cosign", "trusted-root", "create", "--out", w.file("root.json"))
	writeFile(t, w.file("predicate.json"), []byte(slsaPredicate))
	w.run(t, "cosign", "generate-key-pair", "--output-key-prefix", w.file("file"))
	for _, name := range []string{"plain", "other"} {
		w.writePlainKey(t, name)
	}
	for name, key := range map[string]string{"p256.pub": kmsP256, "p384.pub": kmsP384, "rsa.pub": kmsRSA} {
		w.run(t, "cosign", "public-key", "--key", key, "--outfile", w.file(name))
	}
	return w
}

// writePlainKey writes a key to a file that is not encrypted, which cosign does not read, and its public key
// beside it.
func (w *signingSite) writePlainKey(t *testing.T, name string) {
	t.Helper()
	w.writeKeyPair(t, w.file(name))
}

// writeKeyPair writes a key to path.key, not encrypted, and its public key to path.pub.
func (w *site) writeKeyPair(t *testing.T, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	writeFile(t, path+".pub", []byte(w.run(t, "ecrkit", "public-key", path+".key")+"\n"))
}

// file is the path of a key or of a setting.
func (w *signingSite) file(name string) string { return filepath.Join(w.dir, name) }

// ecr is the local ECR; older is a registry without the referrers API.
func (w *signingSite) ecr() place   { return w.places[0] }
func (w *signingSite) older() place { return w.places[2] }

// put pushes an example to a repository of its own, under the tag 1, and returns its name by digest.
func (w *signingSite) put(t *testing.T, p place, repository, example string) string {
	t.Helper()
	k := w.suite.kind(example)
	name := p.host + "/" + repository
	w.run(t, "ecrkit", "push", "--create-repository", "oci:"+k.layout, name+":1")
	return name + "@" + k.digest
}

// images are an image and, if it is an index, its images, by digest.
func (w *signingSite) images(t *testing.T, image string) []string {
	t.Helper()
	repository, _, _ := strings.Cut(image, "@")
	images := []string{image}
	for _, child := range w.manifest(t, image).Manifests {
		images = append(images, repository+"@"+child.Digest)
	}
	return images
}

// cosignSign signs an image with cosign in one of the formats of ecrkit verify, and tells no transparency log.
func (w *signingSite) cosignSign(t *testing.T, format, key, image string, args ...string) {
	t.Helper()
	args = append([]string{"sign", "--yes", "--key", key, image}, append(args, w.cosignFormat(format)...)...)
	signer := w.site
	if format == "oci-1-1" {
		args = append(args, "--registry-referrers-mode=oci-1-1")
		signer = w.with(map[string]string{"COSIGN_EXPERIMENTAL": "1"})
	}
	signer.run(t, "cosign", args...)
}

// cosignFormat are the flags by which cosign signs and attests in a format.
func (w *signingSite) cosignFormat(format string) []string {
	if format == "bundle" {
		return []string{"--signing-config", w.file("no-tlog.json"), "--trusted-root", w.file("root.json")}
	}
	return []string{"--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"}
}

// cosignVerify is the command line by which cosign verifies an image.
func cosignVerify(key, image string, args ...string) []string {
	return append([]string{"cosign", "verify", "--insecure-ignore-tlog", "--key", key, image}, args...)
}

// cosignRefuses lets cosign verify an image, which must fail with this text.
func (w *signingSite) cosignRefuses(t *testing.T, text, key, image string, args ...string) {
	t.Helper()
	line := cosignVerify(key, image, args...)
	w.refused(t, text, line[0], line[1:]...)
}

// A verification is what ecrkit verify says about an image.
type verification struct {
	Digest, Status                     string
	Signatures, Attestations, Rejected []verifiedSignature
	Platforms                          []verification
}

type verifiedSignature struct{ Format, Key, Tag, PredicateType, Reason string }

// wantVerified lets ecrkit verify an image, which must succeed.
func (w *signingSite) wantVerified(t *testing.T, image string, args ...string) verification {
	t.Helper()
	return w.wantStatus(t, "verified", 0, image, args...)
}

// wantStatus lets ecrkit verify an image, and checks what it says and its exit code.
func (w *signingSite) wantStatus(t *testing.T, status string, code int, image string, args ...string) (v verification) {
	t.Helper()
	args = append([]string{"verify", "--output", "json", image}, args...)
	stdout, stderr, err := w.execute(t, "ecrkit", args...)
	got := exitCode(t, err)
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("ecrkit %q: exit code %d, %v in %q\n%s", args, got, err, stdout, stderr)
	}
	if v.Status != status || got != code {
		t.Fatalf("ecrkit %q: status %s, exit code %d, want %s and %d\n%s%s", args, v.Status, got, status, code, stdout, stderr)
	}
	return v
}

// wantUnsigned and wantUntrusted let ecrkit verify an image, which it must refuse.
func (w *signingSite) wantUnsigned(t *testing.T, image string, args ...string) {
	t.Helper()
	w.wantStatus(t, "unsigned", 4, image, args...)
}

func (w *signingSite) wantUntrusted(t *testing.T, image string, args ...string) verification {
	t.Helper()
	return w.wantStatus(t, "untrusted", 4, image, args...)
}

// exitCode is that of a command that ended with err.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if err == nil {
		return 0
	}
	return failed.ExitCode()
}
