package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha512" // SHA-384 and SHA-512 for crypto.Hash
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/google/uuid"
)

const account, region = "123456789012", "us-east-1"

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, account, region, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func digest(h crypto.Hash) []byte {
	sum := h.New()
	sum.Write([]byte("message"))
	return sum.Sum(nil)
}

// Every algorithm's signature is checked with the public key that GetPublicKey
// gives, by the standard library's verifiers.
func TestSign(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	tests := []struct {
		alias     string
		algorithm types.SigningAlgorithmSpec
		hash      crypto.Hash
	}{
		{"alias/ecrkit-p256", types.SigningAlgorithmSpecEcdsaSha256, crypto.SHA256},
		{"alias/ecrkit-p384", types.SigningAlgorithmSpecEcdsaSha384, crypto.SHA384},
		{"alias/ecrkit-p521", types.SigningAlgorithmSpecEcdsaSha512, crypto.SHA512},
		{"alias/ecrkit-rsa2048", types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, crypto.SHA256},
		{"alias/ecrkit-rsa2048", types.SigningAlgorithmSpecRsassaPkcs1V15Sha384, crypto.SHA384},
		{"alias/ecrkit-rsa2048", types.SigningAlgorithmSpecRsassaPkcs1V15Sha512, crypto.SHA512},
		{"alias/ecrkit-rsa2048", types.SigningAlgorithmSpecRsassaPssSha256, crypto.SHA256},
		{"alias/ecrkit-rsa2048", types.SigningAlgorithmSpecRsassaPssSha384, crypto.SHA384},
		{"alias/ecrkit-rsa2048", types.SigningAlgorithmSpecRsassaPssSha512, crypto.SHA512},
	}
	for _, tt := range tests {
		t.Run(string(tt.algorithm), func(t *testing.T) {
			in := &kms.SignInput{KeyId: &tt.alias, Message: digest(tt.hash), MessageType: types.MessageTypeDigest, SigningAlgorithm: tt.algorithm}
			out, err := s.Sign(in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.GetPublicKey(&kms.GetPublicKeyInput{KeyId: out.KeyId})
			if err != nil {
				t.Fatal(err)
			}
			public, err := x509.ParsePKIXPublicKey(got.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			switch key := public.(type) {
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(key, in.Message, out.Signature) {
					t.Error("the signature does not verify")
				}
			case *rsa.PublicKey:
				if strings.HasPrefix(string(tt.algorithm), "RSASSA_PSS") {
					err = rsa.VerifyPSS(key, tt.hash, in.Message, out.Signature, &rsa.PSSOptions{SaltLength: tt.hash.Size()})
				} else {
					err = rsa.VerifyPKCS1v15(key, tt.hash, in.Message, out.Signature)
				}
				if err != nil {
					t.Error(err)
				}
			}
			if out.SigningAlgorithm != tt.algorithm {
				t.Errorf("got %s", out.SigningAlgorithm)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	const usage, validation, missing, dry = "InvalidKeyUsageException", "ValidationException", "NotFoundException", "DryRunOperationException"
	tests := []struct {
		name       string
		change     func(*kms.SignInput)
		code, text string
	}{
		{"short digest", func(in *kms.SignInput) { in.Message = in.Message[1:] }, validation, "Digest is invalid length for algorithm ECDSA_SHA_256."},
		{"digest of another hash", func(in *kms.SignInput) { in.Message = digest(crypto.SHA384) }, validation, "Digest is invalid length"},
		{"no message", func(in *kms.SignInput) { in.Message = nil }, validation, "'message'"},
		{"long message", func(in *kms.SignInput) { in.Message = make([]byte, 4097) }, validation, "4096"},
		{"RAW", func(in *kms.SignInput) { in.MessageType = types.MessageTypeRaw }, validation, "MessageType DIGEST"},
		{"no message type", func(in *kms.SignInput) { in.MessageType = "" }, validation, "MessageType DIGEST"},
		{"no algorithm", func(in *kms.SignInput) { in.SigningAlgorithm = "" }, validation, "'signingAlgorithm'"},
		{"unknown algorithm", func(in *kms.SignInput) { in.SigningAlgorithm = "ROT13" }, validation, "Value 'ROT13' at 'signingAlgorithm'"},
		{"algorithm of another curve", func(in *kms.SignInput) { in.SigningAlgorithm = types.SigningAlgorithmSpecEcdsaSha384 }, usage, "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256."},
		{"algorithm of another kind", func(in *kms.SignInput) { in.SigningAlgorithm = types.SigningAlgorithmSpecRsassaPssSha256 }, usage, "incompatible"},
		{"no key", func(in *kms.SignInput) { in.KeyId = nil }, validation, "'keyId'"},
		{"unknown key", func(in *kms.SignInput) { in.KeyId = aws.String("alias/none") }, missing, "Alias arn:aws:kms:us-east-1:123456789012:alias/none is not found."},
		{"dry run", func(in *kms.SignInput) { in.DryRun = aws.Bool(true) }, dry, "DryRun"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &kms.SignInput{KeyId: aws.String("alias/ecrkit-p256"), Message: digest(crypto.SHA256),
				MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}
			tt.change(in)
			_, err := s.Sign(in)
			wantError(t, err, tt.code, tt.text)
		})
	}
}

func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Fatalf("got %v, want %s: …%s…", err, code, text)
	}
}

func TestKeyNames(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	described, err := s.DescribeKey(&kms.DescribeKeyInput{KeyId: aws.String("alias/ecrkit-p384")})
	if err != nil {
		t.Fatal(err)
	}
	m := described.KeyMetadata
	id := *m.KeyId
	if _, err := uuid.Parse(id); err != nil || *m.Arn != "arn:aws:kms:us-east-1:123456789012:key/"+id {
		t.Errorf("id %q, arn %q", id, *m.Arn)
	}
	if m.KeySpec != types.KeySpecEccNistP384 || m.KeyUsage != types.KeyUsageTypeSignVerify || !m.Enabled || m.KeyState != types.KeyStateEnabled ||
		*m.AWSAccountId != account || len(m.SigningAlgorithms) != 1 || time.Since(*m.CreationDate).Abs() > time.Hour {
		t.Errorf("got %+v", m)
	}
	for _, name := range []string{id, *m.Arn, "alias/ecrkit-p384", "arn:aws:kms:us-east-1:123456789012:alias/ecrkit-p384"} {
		if again, err := s.DescribeKey(&kms.DescribeKeyInput{KeyId: &name}); err != nil || *again.KeyMetadata.KeyId != id {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"alias/x":                              "Alias arn:aws:kms:us-east-1:123456789012:alias/x is not found.",
		"ecrkit-p384":                          "Key 'arn:aws:kms:us-east-1:123456789012:key/ecrkit-p384' does not exist",
		"00000000-0000-0000-0000-000000000000": "Key 'arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000' does not exist",
		"arn:aws:kms:us-east-1:123456789012:alias/x":               "Alias arn:aws:kms:us-east-1:123456789012:alias/x is not found.",
		"arn:aws:kms:us-east-1:999999999999:alias/ecrkit-p384":     "Alias arn:aws:kms:us-east-1:999999999999:alias/ecrkit-p384 is not found.",
		"arn:aws:kms:us-east-1:999999999999:key/" + id:             "Key 'arn:aws:kms:us-east-1:999999999999:key/" + id + "' does not exist",
		"arn:aws:kms:eu-west-1:123456789012:key/" + id:             "Invalid arn eu-west-1",
		"arn:aws:kms:us-east-1:123456789012:ecrkit-p384":           "Invalid arn",
		"arn:aws:kms:us-east-1:123456789012:key/alias/ecrkit-p384": "Invalid arn",
		"arn:aws:s3:::bucket":                                      "Invalid arn",
		"arn:":                                                     "Invalid arn",
	} {
		_, err := s.GetPublicKey(&kms.GetPublicKeyInput{KeyId: &name})
		wantError(t, err, "NotFoundException", text)
	}
}

// describe gives the metadata of a key, which is made if it is not there.
func describe(t *testing.T, s *Store, name string) *types.KeyMetadata {
	t.Helper()
	out, err := s.DescribeKey(&kms.DescribeKeyInput{KeyId: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata
}

func TestRestartKeepsKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "keys")
	first, second := openStore(t, dir), openStore(t, dir)
	for _, alias := range []string{"ecrkit-p256", "ecrkit-rsa2048", "ecrkit-encrypt"} {
		a := describe(t, first, "alias/"+alias)
		// The second store has not seen the file appear.
		for name, b := range map[string]*types.KeyMetadata{"by ID": describe(t, second, *a.KeyId), "anew": describe(t, openStore(t, dir), "alias/"+alias)} {
			if *a.KeyId != *b.KeyId || !a.CreationDate.Equal(*b.CreationDate) || !bytes.Equal(first.keys[alias].public, second.keys[alias].public) {
				t.Errorf("%s changed, %s", alias, name)
			}
		}
		info, err := os.Stat(filepath.Join(dir, alias+".pem"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if pems, _ := filepath.Glob(filepath.Join(dir, "*.pem")); len(pems) != 3 {
		t.Errorf("made what nobody asked for: %v", pems)
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, alias := range []string{"alias/ecrkit-p256", "alias/ecrkit-p384"} {
		describe(t, openStore(t, dir), alias)
	}
	path := filepath.Join(dir, "ecrkit-p256.pem")
	other, err := os.ReadFile(filepath.Join(dir, "ecrkit-p384.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "junk": "junk", "other type": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"no key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "another curve": string(other), "two": string(other) + string(other),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, account, region, time.Now); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move the file away") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
}

func TestConcurrentOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = *describe(t, openStore(t, dir), "alias/ecrkit-p256").KeyId })
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("two stores of one directory differ: %q", ids)
		}
	}
}

// TestConcurrentProcesses runs this test binary several times at once.
func TestConcurrentProcesses(t *testing.T) {
	if dir := os.Getenv("KEYS_TEST_DIR"); dir != "" {
		s := openStore(t, dir)
		for _, alias := range []string{"alias/ecrkit-p256", "alias/ecrkit-rsa2048"} {
			os.Stdout.WriteString(*describe(t, s, alias).KeyId + "\n")
		}
		return
	}
	dir := t.TempDir()
	outputs := make([]string, 4)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestConcurrentProcesses$")
			cmd.Env = append(os.Environ(), "KEYS_TEST_DIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
				return
			}
			outputs[i] = strings.Join(strings.Fields(string(out))[:2], " ")
		})
	}
	wg.Wait()
	for _, out := range outputs {
		if out != outputs[0] {
			t.Errorf("two processes differ: %q and %q", out, outputs[0])
		}
	}
}
