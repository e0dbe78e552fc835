package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

func TestListAliases(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, err := Open(t.TempDir(), "123456789012", "us-east-1", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.CreateKey(&kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	id := made.KeyMetadata.KeyId
	for _, name := range []string{"alias/b", "alias/a"} {
		if _, err := s.CreateAlias(&kms.CreateAliasInput{AliasName: aws.String(name), TargetKeyId: id}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(in kms.ListAliasesInput) (names []string, pages int) {
		t.Helper()
		for {
			out, err := s.ListAliases(&in)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, a := range out.Aliases {
				names = append(names, *a.AliasName)
				if own := *a.AliasName == "alias/a" || *a.AliasName == "alias/b"; own != (aws.ToString(a.TargetKeyId) == *id) || *a.AliasArn != "arn:aws:kms:us-east-1:123456789012:"+*a.AliasName {
					t.Errorf("%s is %s of %s", *a.AliasName, *a.AliasArn, aws.ToString(a.TargetKeyId))
				}
			}
			if out.Truncated != (out.NextMarker != nil) {
				t.Errorf("truncated %v, marker %v", out.Truncated, out.NextMarker)
			}
			if in.Marker = out.NextMarker; in.Marker == nil {
				return names, pages
			}
		}
	}
	all, pages := list(kms.ListAliasesInput{})
	if len(all) != len(kinds)+2 || pages != 1 || !slices.IsSorted(all) {
		t.Errorf("%d pages: %v", pages, all)
	}
	if small, pages := list(kms.ListAliasesInput{Limit: aws.Int32(5)}); !slices.Equal(small, all) || pages != (len(all)+4)/5 {
		t.Errorf("%d pages: %v", pages, small)
	}
	for _, key := range []*string{id, made.KeyMetadata.Arn} {
		if own, _ := list(kms.ListAliasesInput{KeyId: key}); !slices.Equal(own, []string{"alias/a", "alias/b"}) {
			t.Errorf("of %s: %v", *key, own)
		}
	}
	for code, in := range map[string]kms.ListAliasesInput{
		"NotFoundException":      {KeyId: aws.String("alias/a")},
		"InvalidMarkerException": {Marker: aws.String("made up")},
		"ValidationException":    {Limit: aws.Int32(101)},
	} {
		_, err := s.ListAliases(&in)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	if _, err := s.ScheduleKeyDeletion(&kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	if pending, _ := list(kms.ListAliasesInput{}); !slices.Equal(pending, all) {
		t.Errorf("while the key is to be deleted: %v", pending)
	}
	now = now.Add(8 * 24 * time.Hour)
	if left, _ := list(kms.ListAliasesInput{}); len(left) != len(kinds) {
		t.Errorf("after the key was deleted: %v", left)
	}
}

func TestEd25519(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir, "123456789012", "us-east-1", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.CreateKey(&kms.CreateKeyInput{KeySpec: types.KeySpecEccNistEdwards25519, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, "123456789012", "us-east-1", time.Now); err != nil { // from its file
		t.Fatal(err)
	}
	id := made.KeyMetadata.KeyId
	out, err := s.GetPublicKey(&kms.GetPublicKeyInput{KeyId: id})
	if err != nil || out.KeySpec != types.KeySpecEccNistEdwards25519 {
		t.Fatalf("%+v, %v", out, err)
	}
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	digest := sha512.Sum512(message)
	for _, c := range []struct {
		algorithm types.SigningAlgorithmSpec
		kind      types.MessageType
		message   []byte
		opts      *ed25519.Options // nil: refused
	}{
		{types.SigningAlgorithmSpecEd25519Sha512, types.MessageTypeRaw, message, &ed25519.Options{}},
		{types.SigningAlgorithmSpecEd25519Sha512, "", message, &ed25519.Options{}},
		{types.SigningAlgorithmSpecEd25519Sha512, types.MessageTypeDigest, digest[:], nil},
		{types.SigningAlgorithmSpecEd25519Sha512, types.MessageTypeRaw, make([]byte, 4097), nil},
		{types.SigningAlgorithmSpecEd25519PhSha512, types.MessageTypeDigest, digest[:], &ed25519.Options{Hash: crypto.SHA512}},
		{types.SigningAlgorithmSpecEd25519PhSha512, types.MessageTypeRaw, message, nil},
		{types.SigningAlgorithmSpecEd25519PhSha512, types.MessageTypeDigest, digest[:32], nil},
		{types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeDigest, digest[:32], nil},
	} {
		signed, err := s.Sign(&kms.SignInput{KeyId: id, Message: c.message, MessageType: c.kind, SigningAlgorithm: c.algorithm})
		if (err == nil) != (c.opts != nil) {
			t.Errorf("%s of %s, %d bytes: %v", c.algorithm, c.kind, len(c.message), err)
		} else if err == nil {
			if err := ed25519.VerifyWithOptions(public.(ed25519.PublicKey), c.message, signed.Signature, c.opts); err != nil {
				t.Errorf("%s: %v", c.algorithm, err)
			}
		}
	}
}

// TestKeySpecs creates a key of each spec that KMS has: a key, or an error that a client of KMS knows.
func TestKeySpecs(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir(), "123456789012", "us-east-1", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spec  types.KeySpec
		usage types.KeyUsageType
		code  string
	}{
		{types.KeySpecEccNistEdwards25519, types.KeyUsageTypeEncryptDecrypt, "ValidationException"},
		{types.KeySpecMlDsa44, types.KeyUsageTypeEncryptDecrypt, "ValidationException"},
		{types.KeySpecMlDsa44, types.KeyUsageTypeSignVerify, "UnsupportedOperationException"},
		{types.KeySpecMlDsa65, types.KeyUsageTypeSignVerify, "UnsupportedOperationException"},
		{types.KeySpecMlDsa87, types.KeyUsageTypeSignVerify, "UnsupportedOperationException"},
		{types.KeySpecEccSecgP256k1, types.KeyUsageTypeSignVerify, "UnsupportedOperationException"},
		{"ED25519", types.KeyUsageTypeSignVerify, "ValidationException"},
	} {
		_, err := s.CreateKey(&kms.CreateKeyInput{KeySpec: c.spec, KeyUsage: c.usage})
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != c.code {
			t.Errorf("%s for %s: %v, want %s", c.spec, c.usage, err, c.code)
		}
	}
}
