package keys

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func signWith(s *Store, name string) error {
	_, err := s.Sign(&kms.SignInput{KeyId: &name, Message: make([]byte, 32), MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	return err
}

func TestStates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	dir := t.TempDir()
	open := func() *Store {
		t.Helper()
		s, err := Open(dir, account, region, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	const alias = "alias/ecrkit-p256"
	arn := *describe(t, s, alias).Arn
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// Both the store and one that is opened now are asked.
	state := func(want types.KeyState, signs, gets string) {
		t.Helper()
		for _, s := range []*Store{s, open()} {
			if m := describe(t, s, alias); m.KeyState != want || m.Enabled != (want == types.KeyStateEnabled) {
				t.Fatalf("got %s, enabled %t, want %s", m.KeyState, m.Enabled, want)
			}
			_, err := s.GetPublicKey(&kms.GetPublicKeyInput{KeyId: aws.String(alias)})
			for got, code := range map[error]string{signWith(s, alias): signs, err: gets} {
				if code != "" {
					wantError(t, got, code, arn)
				} else if got != nil {
					t.Error(got)
				}
			}
		}
	}
	const disabled, invalid = "DisabledException", "KMSInvalidStateException"

	state(types.KeyStateEnabled, "", "")
	must(s.DisableKey(&kms.DisableKeyInput{KeyId: &arn}))
	state(types.KeyStateDisabled, disabled, disabled)
	must(s.EnableKey(&kms.EnableKeyInput{KeyId: &arn}))
	state(types.KeyStateEnabled, "", "")

	_, err := s.CancelKeyDeletion(&kms.CancelKeyDeletionInput{KeyId: &arn})
	wantError(t, err, invalid, arn+" is not pending deletion.")
	out, err := s.ScheduleKeyDeletion(&kms.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: aws.Int32(7)})
	if err != nil || !out.DeletionDate.Equal(now.AddDate(0, 0, 7)) || *out.KeyId != arn {
		t.Fatalf("%+v, %v", out, err)
	}
	state(types.KeyStatePendingDeletion, invalid, invalid)
	if m := describe(t, s, alias); !m.DeletionDate.Equal(*out.DeletionDate) {
		t.Errorf("got %v", m.DeletionDate)
	}
	_, err = s.EnableKey(&kms.EnableKeyInput{KeyId: &arn})
	wantError(t, err, invalid, arn+" is pending deletion.")
	_, err = s.ScheduleKeyDeletion(&kms.ScheduleKeyDeletionInput{KeyId: &arn})
	wantError(t, err, invalid, arn+" is pending deletion.")
	must(s.CancelKeyDeletion(&kms.CancelKeyDeletionInput{KeyId: &arn}))
	state(types.KeyStateDisabled, disabled, disabled)

	must(s.ScheduleKeyDeletion(&kms.ScheduleKeyDeletionInput{KeyId: &arn}))
	now = now.AddDate(0, 0, 30)
	wantError(t, signWith(s, alias), "NotFoundException", alias)
	wantError(t, signWith(s, arn), "NotFoundException", arn)
	_, err = s.CancelKeyDeletion(&kms.CancelKeyDeletionInput{KeyId: &arn})
	wantError(t, err, "NotFoundException", arn)
}

func TestStatesRefuse(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	m := describe(t, s, "alias/ecrkit-p256")
	for _, name := range []string{"alias/ecrkit-p256", "arn:aws:kms:us-east-1:123456789012:alias/ecrkit-p256"} {
		_, err := s.DisableKey(&kms.DisableKeyInput{KeyId: &name})
		wantError(t, err, "NotFoundException", "Invalid keyId '"+name+"'")
	}
	_, err := s.DisableKey(&kms.DisableKeyInput{})
	wantError(t, err, "ValidationException", "'keyId'")
	for _, days := range []int32{0, 6, 31} {
		_, err := s.ScheduleKeyDeletion(&kms.ScheduleKeyDeletionInput{KeyId: m.Arn, PendingWindowInDays: &days})
		wantError(t, err, "ValidationException", "'pendingWindowInDays'")
	}
}

func TestOtherUsage(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	encrypt, symmetric := describe(t, s, "alias/ecrkit-encrypt"), describe(t, s, "alias/ecrkit-symmetric")
	for _, m := range []*types.KeyMetadata{encrypt, symmetric} {
		if m.KeyUsage != types.KeyUsageTypeEncryptDecrypt || len(m.SigningAlgorithms) > 0 || len(m.EncryptionAlgorithms) == 0 {
			t.Errorf("got %+v", m)
		}
		wantError(t, signWith(s, *m.KeyId), "InvalidKeyUsageException", *m.Arn+" key usage is ENCRYPT_DECRYPT which is not valid for Sign.")
	}
	out, err := s.GetPublicKey(&kms.GetPublicKeyInput{KeyId: encrypt.KeyId})
	if err != nil || out.KeyUsage != types.KeyUsageTypeEncryptDecrypt || len(out.PublicKey) == 0 || out.SigningAlgorithms != nil {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = s.GetPublicKey(&kms.GetPublicKeyInput{KeyId: symmetric.KeyId})
	wantError(t, err, "UnsupportedOperationException", *symmetric.Arn)
}
