package keys

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

func TestCreateKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(dir, "123456789012", "us-east-1", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	made, err := s.CreateKey(&kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP384, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil || made.KeyMetadata.KeySpec != types.KeySpecEccNistP384 || made.KeyMetadata.SigningAlgorithms[0] != types.SigningAlgorithmSpecEcdsaSha384 {
		t.Fatalf("%+v, %v", made, err)
	}
	symmetric, err := s.CreateKey(&kms.CreateKeyInput{})
	if err != nil || symmetric.KeyMetadata.KeySpec != types.KeySpecSymmetricDefault || *symmetric.KeyMetadata.KeyId == *made.KeyMetadata.KeyId {
		t.Fatalf("%+v, %v", symmetric, err)
	}
	if _, err := s.CreateAlias(&kms.CreateAliasInput{AliasName: aws.String("alias/team/sign"), TargetKeyId: made.KeyMetadata.Arn}); err != nil {
		t.Fatal(err)
	}
	// It is there in the next process too, by both names, and signs.
	s = open()
	digest := make([]byte, 48)
	for _, name := range []string{"alias/team/sign", *made.KeyMetadata.KeyId, "arn:aws:kms:us-east-1:123456789012:alias/team/sign"} {
		out, err := s.Sign(&kms.SignInput{KeyId: &name, Message: digest, MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha384})
		if err != nil || *out.KeyId != *made.KeyMetadata.Arn {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.DescribeKey(&kms.DescribeKeyInput{KeyId: symmetric.KeyMetadata.KeyId}); err != nil {
		t.Error(err)
	}
	if _, err := s.DisableKey(&kms.DisableKeyInput{KeyId: made.KeyMetadata.KeyId}); err != nil {
		t.Fatal(err)
	}
	if out, err := open().DescribeKey(&kms.DescribeKeyInput{KeyId: aws.String("alias/team/sign")}); err != nil || out.KeyMetadata.KeyState != types.KeyStateDisabled {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestCreateErrors(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir(), "123456789012", "us-east-1", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	code := func(err error) string {
		var api smithy.APIError
		if errors.As(err, &api) {
			return api.ErrorCode()
		}
		return ""
	}
	release, err := s.DescribeKey(&kms.DescribeKeyInput{KeyId: aws.String("alias/release")})
	if err != nil {
		t.Fatal(err)
	}
	for want, in := range map[string]*kms.CreateAliasInput{
		"AlreadyExistsException":    {AliasName: aws.String("alias/release"), TargetKeyId: release.KeyMetadata.KeyId},
		"NotFoundException":         {AliasName: aws.String("alias/x"), TargetKeyId: aws.String("1234abcd-12ab-34cd-56ef-1234567890ab")},
		"InvalidAliasNameException": {AliasName: aws.String("alias/aws/x"), TargetKeyId: release.KeyMetadata.KeyId},
		"ValidationException":       {AliasName: aws.String("x"), TargetKeyId: release.KeyMetadata.KeyId},
	} {
		if _, err := s.CreateAlias(in); code(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for want, in := range map[string]*kms.CreateKeyInput{
		"ValidationException":           {KeySpec: types.KeySpecEccNistP256},
		"UnsupportedOperationException": {KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac},
	} {
		if _, err := s.CreateKey(in); code(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
