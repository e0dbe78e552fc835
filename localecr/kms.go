package localecr

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/localecr/internal/keys"
	"github.com/ecrkit/ecrkit/localecr/internal/wire"
)

// kmsOperations are the few of KMS that signing needs, and what makes them fail.
var kmsOperations = map[string]operation{
	"CancelKeyDeletion":   onKeys((*keys.Store).CancelKeyDeletion),
	"CreateAlias":         onKeys((*keys.Store).CreateAlias),
	"CreateKey":           onKeys((*keys.Store).CreateKey),
	"DescribeKey":         onKeys((*keys.Store).DescribeKey),
	"DisableKey":          onKeys((*keys.Store).DisableKey),
	"EnableKey":           onKeys((*keys.Store).EnableKey),
	"GetPublicKey":        onKeys((*keys.Store).GetPublicKey),
	"ListAliases":         onKeys((*keys.Store).ListAliases),
	"ScheduleKeyDeletion": onKeys((*keys.Store).ScheduleKeyDeletion),
	"Sign":                onKeys((*keys.Store).Sign),
}

func onKeys[In, Out any](method func(*keys.Store, *In) (*Out, error)) operation {
	return func(_ context.Context, x *exchange, body []byte) (any, error) {
		in := new(In)
		if err := x.decode(body, in, wire.UpperCamel); err != nil {
			return nil, err
		}
		for _, member := range []string{"KeyId", "TargetKeyId"} {
			if err := x.ownKey(stringMember(in, member)); err != nil {
				return nil, err
			}
		}
		store, err := x.server.keys(x.principal.Account, x.region)
		if err != nil {
			return nil, err
		}
		out, err := method(store, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// ownKey refuses the keys of other accounts, whose policies allow nobody else.
func (x *exchange) ownKey(name string) error {
	parts := strings.SplitN(name, ":", 6)
	if len(parts) != 6 || parts[4] == x.principal.Account {
		return nil
	}
	for _, account := range x.server.accounts() {
		if account.ID == parts[4] {
			return x.accessDenied("kms:"+x.call.Op, name)
		}
	}
	return nil
}

// keys returns the KMS keys of an account and region, each of which is made when it is first used.
func (s *Server) keys(account, region string) (*keys.Store, error) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	id := filepath.Join(account, region)
	if k := s.keyStores[id]; k != nil {
		return k, nil
	}
	if s.sync {
		if err := files.MakeDirs(filepath.Join(s.keysDir(), id), 0o700); err != nil {
			return nil, fmt.Errorf("signing keys: %w", err)
		}
	}
	k, err := keys.Open(filepath.Join(s.keysDir(), id), account, region, s.clock.Now)
	if err != nil {
		return nil, err
	}
	s.keyStores[id] = k
	return k, nil
}

// defaultKey returns the ARN of the key that KMS manages for ECR in an account and region.
func (s *Server) defaultKey(account, region string) (string, error) {
	store, err := s.keys(account, region)
	if err != nil {
		return "", err
	}
	out, err := store.DescribeKey(&kms.DescribeKeyInput{KeyId: aws.String("alias/" + keys.AliasECR)})
	if err != nil {
		return "", err
	}
	return *out.KeyMetadata.Arn, nil
}

// checkKey fails if there is no such key for the encryption of a repository.
func (s *Server) checkKey(account, region, key string) error {
	if parts := strings.SplitN(key, ":", 6); len(parts) == 6 && parts[4] != account {
		return nil // of another account, whose policy would have to allow it
	}
	store, err := s.keys(account, region)
	if err == nil {
		_, err = store.DescribeKey(&kms.DescribeKeyInput{KeyId: &key})
	}
	return err
}

func (s *Server) serveKMS(w http.ResponseWriter, r *http.Request, target string) {
	name, isKMS := strings.CutPrefix(target, targetKMS)
	s.serve(w, r, EndpointAPI, name, "", func(x *exchange) {
		run, ok := kmsOperations[name]
		if !isKMS || !ok {
			x.fail(commonError(codeUnknownOperation, "%s is not an operation of the local ECR, which has some of ECR, KMS and STS", target))
			return
		}
		body, err := x.authenticateBody("kms")
		if err != nil {
			x.fail(err)
			return
		}
		x.answerJSON(run(r.Context(), x, body))
	})
}
