package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/ecrkit/ecrkit/internal/files"
)

// The days that a deletion waits:
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
const minWindow, maxWindow = 7, 30

// state is the content of the file beside a key's, which a key that was always enabled has not.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
type state struct {
	KeyState     types.KeyState
	DeletionDate *time.Time `json:",omitempty"`
}

// gone reports that the key is no more.
func (s state) gone(now time.Time) bool {
	return s.KeyState == types.KeyStatePendingDeletion && s.DeletionDate != nil && !now.Before(*s.DeletionDate)
}

func (s *Store) statePath(k *key) string { return filepath.Join(s.dir, k.fileName()+".state.json") }

func (s *Store) state(k *key) (state, error) {
	data, err := files.Read(s.statePath(k), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return state{KeyState: types.KeyStateEnabled}, nil
	}
	var st state
	if err == nil {
		err = json.Unmarshal(data, &st)
	}
	if err != nil {
		return state{}, fmt.Errorf("state of a key: %s: %w", s.statePath(k), err)
	}
	return st, nil
}

// EnableKey as in https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html. Errors:
// *types.NotFoundException, also for an alias, and *types.KMSInvalidStateException for a key that is to
// be deleted.
func (s *Store) EnableKey(in *kms.EnableKeyInput) (*kms.EnableKeyOutput, error) {
	_, err := s.change(in.KeyId, state{KeyState: types.KeyStateEnabled})
	return &kms.EnableKeyOutput{}, err
}

// DisableKey as in https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKey.html. Errors as
// EnableKey.
func (s *Store) DisableKey(in *kms.DisableKeyInput) (*kms.DisableKeyOutput, error) {
	_, err := s.change(in.KeyId, state{KeyState: types.KeyStateDisabled})
	return &kms.DisableKeyOutput{}, err
}

// ScheduleKeyDeletion as in
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html. When its time has
// come, a key and its alias are not found any more. Errors as EnableKey.
func (s *Store) ScheduleKeyDeletion(in *kms.ScheduleKeyDeletionInput) (*kms.ScheduleKeyDeletionOutput, error) {
	days := int32(maxWindow)
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	if days < minWindow || days > maxWindow {
		return nil, invalid("1 validation error detected: Value '%d' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value between %d and %d", days, minWindow, maxWindow)
	}
	date := s.now().UTC().Truncate(time.Second).AddDate(0, 0, int(days))
	arn, err := s.change(in.KeyId, state{KeyState: types.KeyStatePendingDeletion, DeletionDate: &date})
	if err != nil {
		return nil, err
	}
	return &kms.ScheduleKeyDeletionOutput{DeletionDate: &date, KeyId: &arn, KeyState: types.KeyStatePendingDeletion, PendingWindowInDays: &days}, nil
}

// CancelKeyDeletion as in
// https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html: the key is disabled
// afterwards. Errors: *types.NotFoundException, and *types.KMSInvalidStateException for a key that is
// not to be deleted.
func (s *Store) CancelKeyDeletion(in *kms.CancelKeyDeletionInput) (*kms.CancelKeyDeletionOutput, error) {
	arn, err := s.write(in.KeyId, state{KeyState: types.KeyStateDisabled}, func(arn string, before types.KeyState) error {
		if before != types.KeyStatePendingDeletion {
			return invalidState("%s is not pending deletion.", arn)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &kms.CancelKeyDeletionOutput{KeyId: &arn}, nil
}

// change changes the state of a key that is not pending deletion.
func (s *Store) change(name *string, next state) (arn string, err error) {
	return s.write(name, next, func(arn string, before types.KeyState) error {
		if before == types.KeyStatePendingDeletion {
			return invalidState("%s is pending deletion.", arn)
		}
		return nil
	})
}

// write changes the state of a key, named by its ID or ARN, if check allows it.
func (s *Store) write(name *string, next state, check func(arn string, before types.KeyState) error) (arn string, err error) {
	if id := aws.ToString(name); strings.HasPrefix(id, "alias/") || strings.Contains(id, ":alias/") {
		return "", notFound("Invalid keyId '%s'", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := s.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	k, before, err := s.find(name)
	if err != nil {
		return "", err
	}
	arn = s.arn("key/" + k.id)
	if err := check(arn, before.KeyState); err != nil {
		return "", err
	}
	data, err := json.Marshal(next)
	if err != nil {
		return "", err
	}
	return arn, files.WriteFile(s.statePath(k), data, 0o600)
}
