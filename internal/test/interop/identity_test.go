//go:build interop

package interop

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

// testSTS asks for identities and temporary credentials with the aws CLI.
func (s *suite) testSTS(t *testing.T) {
	w := s.start(t, "--ephemeral")
	const role = "arn:aws:iam::000000000000:role/ecrkit"
	identity := func(w *site) (account, arn string) {
		t.Helper()
		var got struct{ Account, Arn string }
		w.aws(t, &got, "sts", "get-caller-identity")
		return got.Account, got.Arn
	}
	if account, arn := identity(w); account != "000000000000" || arn != "arn:aws:iam::000000000000:user/ecrkit" {
		t.Errorf("get-caller-identity gives account %s, ARN %s", account, arn)
	}

	var assumed struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	w.aws(t, &assumed, "sts", "assume-role", "--role-arn", role, "--role-session-name", "interop")
	session := w.with(map[string]string{
		"AWS_ACCESS_KEY_ID":     assumed.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": assumed.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":     assumed.Credentials.SessionToken,
	})
	if _, arn := identity(session); arn != "arn:aws:sts::000000000000:assumed-role/ecrkit/interop" {
		t.Errorf("get-caller-identity of the role gives ARN %s", arn)
	}
	session.aws(t, nil, "ecr", "create-repository", "--repository-name", "by-role")
	session.aws(t, nil, "ecr", "get-authorization-token")
	w.awsRefused(t, "AccessDenied", "sts", "assume-role", "--role-arn", role+"-missing", "--role-session-name", "interop")

	broken := session.with(map[string]string{"AWS_SESSION_TOKEN": "x" + assumed.Credentials.SessionToken})
	broken.awsRefused(t, "UnrecognizedClientException", "ecr", "describe-repositories")
}

// testKMS signs with the aws CLI and verifies with the public key that it gives.
func (s *suite) testKMS(t *testing.T) {
	w := s.start(t, "--ephemeral")
	const key = "alias/ecrkit-p256"
	var public struct {
		KeySpec   string
		PublicKey []byte
	}
	w.aws(t, &public, "kms", "get-public-key", "--key-id", key)
	parsed, err := x509.ParsePKIXPublicKey(public.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.KeySpec != "ECC_NIST_P256" {
		t.Fatalf("the key of %s is %T, %s", key, parsed, public.KeySpec)
	}

	digest := sha256.Sum256([]byte("a document"))
	file := filepath.Join(t.TempDir(), "digest")
	if err := os.WriteFile(file, digest[:], 0o600); err != nil {
		t.Fatal(err)
	}
	var signed struct{ Signature []byte }
	w.aws(t, &signed, "kms", "sign", "--key-id", key, "--message-type", "DIGEST", "--signing-algorithm", "ECDSA_SHA_256", "--message", "fileb://"+file)
	if !ecdsa.VerifyASN1(verifier, digest[:], signed.Signature) {
		t.Error("the signature does not verify")
	}
	w.awsRefused(t, "NotFoundException", "kms", "get-public-key", "--key-id", "alias/missing")
}
